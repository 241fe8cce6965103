import type pg from 'pg';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { tenantNameIn } from '../tenant-name.js';
import { isMoveState, schemasWithMover, type TenantMove } from '../moving/tenant-move.js';
import type { ListedMove, ListedTenant } from './admin-options.js';
import { copyEach, copyVersions } from './copy-versions.js';

/** The tenant of a schema on one server, as {@link CloacinaAdmin.listTenants} lists it. */
export interface ListedSchema {
  readonly schema: string;
  readonly tenant: string;
  readonly version: string;
  readonly move?: TenantMove;
  /** Whether a process moves the tenant away from this server. */
  readonly hasMover: boolean;
}

/** Lists the tenants' schemas with their versions. It takes a few statements for any number of tenants. */
export async function listTenantSchemas(client: pg.Client): Promise<ListedSchema[]> {
  const { rows } = await client.query<{
    schema: string;
    comment: string | null;
    readable: boolean;
  }>(
    `SELECT n.nspname AS schema, pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
            has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY n.nspname`,
    [CLOACINA_MIGRATIONS_TABLE],
  );
  const readable = rows.filter((row) => row.readable).map(({ schema }) => schema);
  const found = await copyVersions(client, readable);
  const versions = new Map(readable.map((schema, i) => [schema, found[i]]));
  const states = await copyEach(
    client,
    readable,
    { table: 'cloacina_tenant', columns: 'state, peer, changed_at' },
    ([line]) => line,
  );
  const moving = await schemasWithMover(
    client,
    rows.map(({ schema }) => schema),
  );
  const moves = new Map(
    readable.map((schema, i) => [schema, moveIn(states[i], moving.has(schema))]),
  );
  return rows.map(({ schema, comment }) => {
    const move = moves.get(schema);
    return {
      schema,
      tenant: tenantNameIn(comment) ?? schema,
      version: versions.get(schema) ?? 'unknown',
      ...(move === undefined ? {} : { move }),
      hasMover: moving.has(schema),
    };
  });
}

/** The move in the one line of `cloacina_tenant`. Undefined without one, and if the tenant has put something else there. */
function moveIn(line: string | undefined, hasMover: boolean): TenantMove | undefined {
  const [state = '', peer = '', changedAt = ''] = (line ?? '').split('\t');
  const since = new Date(`${changedAt.replace(' ', 'T').replace(/\+00$/, '')}Z`);
  if (!isMoveState(state) || Number.isNaN(since.getTime())) return undefined;
  return { state, peer, since, isInterrupted: !hasMover && state !== 'moved' };
}

/**
 * The lists of servers as one. The mover of a tenant is known to the source alone, so whether a copy is incomplete for good is not
 * known without the list of its source.
 */
export function joinLists(
  lists: readonly { readonly server: string | undefined; readonly tenants: ListedSchema[] }[],
): ListedTenant[] {
  const movers = new Map(
    lists.map(({ server, tenants }) => [
      server,
      new Set(tenants.filter(({ hasMover }) => hasMover).map(({ schema }) => schema)),
    ]),
  );
  const onList = ({ isInterrupted, ...move }: TenantMove, schema: string): ListedMove => {
    if (move.state !== 'arriving') return { ...move, isInterrupted };
    const ofSource = movers.get(move.peer);
    return { ...move, isInterrupted: ofSource === undefined ? null : !ofSource.has(schema) };
  };
  return lists.flatMap(({ server, tenants }) =>
    tenants.map(({ hasMover: _, move, ...tenant }): ListedTenant => ({
      ...tenant,
      ...(server === undefined ? {} : { server }),
      ...(move === undefined ? {} : { move: onList(move, tenant.schema) }),
    })),
  );
}
