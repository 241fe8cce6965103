import pg from 'pg';
import { isolationRoleNameSql } from '../admin/role-name.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { fenceComment, refusalIn } from '../moving/schema-places.js';
import { isTenantLogin } from '../admin/role-purpose.js';
import { TENANT_NAME_PREFIX, tenantNameIn } from '../tenant-name.js';

/** A schema that contains the library's tables, and the name of its tenant. */
export interface MarkedSchema {
  readonly schema: string;
  readonly tenant: string;
  /** `role` if another process serves the tenant with it. User code must have no more rights here than there. */
  readonly isolation?: 'schema' | 'role';
}

/** The tenants that a login finds in its database. */
export interface FoundTenants {
  readonly tenants: readonly MarkedSchema[];
  /**
   * Schemas that this login may use but that an untrusted role owns. They are not served: the owner could make this
   * login run anything.
   */
  readonly strange: readonly { readonly schema: string; readonly owner: string }[];
}

/**
 * An SQL condition: whether this login may use a role's objects without the application naming them. It trusts itself,
 * roles that have its rights anyway (superusers, the database's owner, members of it), and groups that it belongs to. Any
 * other role could have put a trigger or a view there, and granted it to this login, to run code with this login's rights.
 */
function isTrusted(role: string): string {
  return `(${role} IN (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
           OR EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.oid = ${role}
                AND (o.rolname = current_user OR o.rolsuper OR pg_catalog.pg_has_role(o.oid, current_user, 'MEMBER')
                     OR (NOT o.rolcanlogin AND pg_catalog.pg_has_role(current_user, o.oid, 'MEMBER')))))`;
}

/**
 * Finds the tenants of the database that the login may use. Schemas with the library's history table are tenants; there is
 * no registry.
 *
 * `public` is left out, because an application's own tables are there: an application that uses it as a tenant registers
 * it. Tenants with a login of their own are left out too. This login may have created them and so may use them, but their
 * code would run with more rights than that of their own login.
 */
export async function findTenants(pool: pg.Pool): Promise<FoundTenants> {
  const marked = await readRows<{
    schema: string;
    comment: string | null;
    fence: string | null;
    isolated: boolean;
    stranger: string | null;
  }>(
    pool,
    `SELECT n.nspname AS schema, obj_description(c.oid, 'pg_class') AS comment,
            ${fenceComment('n.oid')} AS fence,
            EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = ${isolationRoleNameSql('n.nspname')}) AS isolated,
            CASE WHEN NOT ${isTrusted('n.nspowner')} THEN pg_catalog.pg_get_userbyid(n.nspowner)::text
                 WHEN NOT ${isTrusted('c.relowner')} THEN pg_catalog.pg_get_userbyid(c.relowner)::text END AS stranger
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND c.relkind IN ('r', 'p') AND n.nspname <> 'public' AND n.nspname NOT LIKE 'pg\\_%'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND NOT ${isTenantLogin('n.nspowner')}
      ORDER BY n.nspname`,
    [CLOACINA_MIGRATIONS_TABLE],
  );
  // A tenant that has moved away, and a copy that is not complete, are tenants of another server.
  const rows = marked.filter(({ fence }) => {
    const state = refusalIn(fence)?.state;
    return state === undefined || state === 'stopping';
  });
  return {
    tenants: rows
      .filter(({ stranger }) => stranger === null)
      .map(({ schema, comment, isolated }) => ({
        schema,
        tenant: tenantNameIn(comment) ?? schema,
        isolation: isolated ? 'role' : 'schema',
      })),
    strange: rows.flatMap(({ schema, stranger: owner }) =>
      owner === null ? [] : [{ schema, owner }],
    ),
  };
}

/** Which of the schemas exist, whether or not the login may use them. */
export async function existingSchemas(
  pool: pg.Pool,
  schemas: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await readRows<{ schema: string }>(
    pool,
    'SELECT nspname AS schema FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::text[])',
    [schemas],
  );
  return new Set(rows.map(({ schema }) => schema));
}

/** The tenants whose name is not yet stored with their schema. */
export async function unkeptNames(
  pool: pg.Pool,
  tenants: readonly MarkedSchema[],
): Promise<MarkedSchema[]> {
  const rows = await readRows<{ schema: string; comment: string | null }>(
    pool,
    `SELECT n.nspname AS schema, obj_description(c.oid, 'pg_class') AS comment
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND n.nspname = ANY ($2::text[])`,
    [CLOACINA_MIGRATIONS_TABLE, tenants.map(({ schema }) => schema)],
  );
  const kept = new Map(rows.map(({ schema, comment }) => [schema, tenantNameIn(comment)]));
  return tenants.filter(({ schema, tenant }) => kept.get(schema) !== tenant);
}

/** Stores a tenant's name with its schema. Requires the owner of the history table. */
export async function keepName(pool: pg.Pool, { schema, tenant }: MarkedSchema): Promise<void> {
  const table = `${pg.escapeIdentifier(schema)}.${CLOACINA_MIGRATIONS_TABLE}`;
  await pool.query(`COMMENT ON TABLE ${table} IS ${pg.escapeLiteral(TENANT_NAME_PREFIX + tenant)}`);
}
