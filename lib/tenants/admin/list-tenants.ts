import type pg from 'pg';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { tenantNameIn } from '../tenant-name.js';
import { copyVersions } from './copy-versions.js';

/** Lists the tenants' schemas with their versions. It takes a few statements for any number of tenants. */
export async function listTenantSchemas(
  client: pg.Client,
): Promise<{ schema: string; tenant: string; version: string }[]> {
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
  return rows.map(({ schema, comment }) => ({
    schema,
    tenant: tenantNameIn(comment) ?? schema,
    version: versions.get(schema) ?? 'unknown',
  }));
}
