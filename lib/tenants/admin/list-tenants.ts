import type pg from 'pg';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { tenantNameIn } from '../tenant-name.js';
import { copyEach, copyVersions } from './copy-versions.js';

/** A move of a tenant to another server, as one of the two servers shows it. */
export interface TenantMove {
  /**
   * - `copying`: its rows are copied to the peer. It works as usual.
   * - `stopping`: its work has stopped, until the move ends or is undone.
   * - `moved`: it lives on the peer. This is the source, which `finishMove` drops.
   * - `arriving`: this is a copy that is not complete. The tenant lives on the peer.
   */
  readonly state: 'copying' | 'stopping' | 'moved' | 'arriving';
  /** The name of the other server. */
  readonly peer: string;
}

/** Lists the tenants' schemas with their versions. It takes a few statements for any number of tenants. */
export async function listTenantSchemas(
  client: pg.Client,
): Promise<{ schema: string; tenant: string; version: string; move?: TenantMove }[]> {
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
    { table: 'cloacina_tenant', columns: 'state, peer' },
    moveIn,
  );
  const moves = new Map(readable.map((schema, i) => [schema, states[i]]));
  return rows.map(({ schema, comment }) => {
    const move = moves.get(schema);
    return {
      schema,
      tenant: tenantNameIn(comment) ?? schema,
      version: versions.get(schema) ?? 'unknown',
      ...(move === undefined ? {} : { move }),
    };
  });
}

/** The move in the one line of `cloacina_tenant`. Undefined without one. */
function moveIn([line = '']: readonly string[]): TenantMove | undefined {
  const [state = '', peer = ''] = line.split('\t');
  return isMoveState(state) ? { state, peer } : undefined;
}

function isMoveState(state: string): state is TenantMove['state'] {
  return ['copying', 'stopping', 'moved', 'arriving'].includes(state);
}
