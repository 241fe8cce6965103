import type pg from 'pg';
import { readRows } from '../store/postgres/connections/own-types.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../store/postgres/migrations/index.js';
import { isTenantLogin } from '../tenants/admin/role-purpose.js';

/** A schema with the library's tables. */
export interface FoundSchema {
  readonly schema: string;
  /** The tenant's own login, if another login examines it: its rows are not read, because its code might run. */
  readonly ownLogin: string | null;
  /** Whether the login may read the history of migrations. */
  readonly isReadable: boolean;
}

export function findSchemas(client: pg.ClientBase): Promise<FoundSchema[]> {
  return readRows<FoundSchema>(
    client,
    `SELECT n.nspname::text AS schema,
            (SELECT min(r.rolname::text) FROM pg_catalog.pg_roles r
              WHERE r.oid IN (n.nspowner, c.relowner) AND r.rolname <> current_user AND ${isTenantLogin('r.oid')}) AS "ownLogin",
            pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS "isReadable"
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY n.nspname`,
    [CLOACINA_MIGRATIONS_TABLE],
  );
}
