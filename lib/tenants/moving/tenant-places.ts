import type pg from 'pg';
import { DuplicateSchemaError, InvalidArgumentError } from '../../errors/index.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { inAdminSession } from '../admin/admin-session.js';
import { copyOne } from '../admin/copy-versions.js';
import type { TenantRow, TenantState } from './move-state.js';

/** The servers among which tenants move. */
export interface MoveServers {
  readonly names: readonly string[];
  /** The connection of the admin's login. */
  readonly source: (server: string) => ConnectionSource;
  /** Turns a failure on a server into one of the library's errors. */
  readonly explain: (failure: unknown, server: string) => Promise<Error>;
}

/** The row of the tenant as the admin's login reads it. */
export type KnownRow = Omit<TenantRow, 'deadlineInMs'>;

/** A server that has the schema of a tenant. */
export interface TenantPlace {
  readonly server: string;
  readonly row: KnownRow;
}

/** Whether the tenant lives where the row is: no other server has it, or the move to it can still be undone. */
export function isLiving({ state }: Pick<TenantRow, 'state'>): boolean {
  return state === 'live' || state === 'copying' || state === 'stopping';
}

/** A schema on all servers. */
export interface TenantPlaces {
  /** The server where the tenant lives, also while it is copied. */
  readonly live: TenantPlace | undefined;
  /** Servers that have given it away. */
  readonly moved: readonly TenantPlace[];
  /** Copies that do not live yet. */
  readonly arriving: readonly TenantPlace[];
}

/**
 * Looks for a schema on all servers. One that is away is an error only if no other server has the tenant.
 *
 * @throws DuplicateSchemaError if it lives on two of them
 * @throws InvalidArgumentError if none has it
 */
export async function findTenantPlaces(
  servers: MoveServers,
  schema: string,
): Promise<TenantPlaces> {
  const looks = await Promise.allSettled(
    servers.names.map(async (server): Promise<TenantPlace[]> => {
      try {
        return await inAdminSession(servers.source(server), async ({ client }) => {
          const row = await copyTenantRow(client, schema);
          return row === undefined ? [] : [{ server, row }];
        });
      } catch (error) {
        throw await servers.explain(error, server);
      }
    }),
  );
  const found = looks.flatMap((look) => (look.status === 'fulfilled' ? look.value : []));
  const inState = (...states: readonly TenantRow['state'][]): TenantPlace[] =>
    found.filter(({ row }) => states.includes(row.state));
  const [live, other] = found.filter(({ row }) => isLiving(row));
  if (live !== undefined && other !== undefined)
    throw new DuplicateSchemaError(schema, [live.server, other.server]);
  const moved = inState('moved');
  const failure = looks.find((look) => look.status === 'rejected');
  if (live === undefined && failure !== undefined) throw failure.reason;
  if (live === undefined && moved.length === 0) {
    throw new InvalidArgumentError(
      'schema',
      `${JSON.stringify(schema)} is not a tenant's on any of the servers ${servers.names.join(', ')}`,
    );
  }
  return { live, moved, arriving: inState('arriving') };
}

/**
 * The place whose switch is not complete, if the tenant lives on no server. A tenant that has moved on from a server has left more
 * than one `moved` place: that of the last move is the one whose copy is still there.
 */
export function unfinishedSwitch({ live, moved, arriving }: TenantPlaces): TenantPlace | undefined {
  if (live !== undefined) return undefined;
  const hasCopy = ({ row: { peer, moveId } }: TenantPlace): boolean =>
    arriving.some(({ server, row }) => server === peer && row.moveId === moveId);
  return moved.find(hasCopy) ?? moved.find(({ row }) => !moved.some((b) => b.server === row.peer));
}

/** Whether the database has the schema at all, whatever is in it. */
export async function hasSchema(
  client: Parameters<typeof readRows>[0],
  schema: string,
): Promise<boolean> {
  const rows = await readRows(client, 'SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1', [
    schema,
  ]);
  return rows.length > 0;
}

/** Whether the schema has any table, of the library or not. */
export async function hasTables(
  client: Parameters<typeof readRows>[0],
  schema: string,
): Promise<boolean> {
  const rows = await readRows(
    client,
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') LIMIT 1`,
    [schema],
  );
  return rows.length > 0;
}

const STATES: readonly string[] = [
  'live',
  'copying',
  'stopping',
  'moved',
  'arriving',
] satisfies TenantState[];
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * The state of a tenant, for a session of the admin's login. The table is the tenant's, which may have put a view in its place:
 * this way none of its code runs with the rights of the session.
 *
 * @throws Error if the table is not a table, or has something else than a state
 */
export async function copyTenantRow(
  client: pg.Client,
  schema: string,
): Promise<KnownRow | undefined> {
  const columns = 'state, move_id, peer';
  const rows = await copyOne(client, schema, { table: 'cloacina_tenant', columns });
  const [row] = rows ?? [];
  if (row === undefined) return undefined;
  const [state = '', moveId = null, peer = null] = row;
  if (!STATES.includes(state) || (moveId !== null && !UUID.test(moveId)))
    throw new Error(`"${schema}".cloacina_tenant has an unknown state.`);
  return { state: state as TenantState, moveId, peer };
}
