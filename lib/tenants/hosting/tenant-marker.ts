import pg from 'pg';
import { isolationRoleNameSql } from '../admin/role-name.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { isTenantLogin } from '../migrations/migration-history.js';

/** A schema that has the library's tables, and the name of the tenant that is in it. */
export interface MarkedSchema {
  readonly schema: string;
  readonly tenant: string;
  /** `role` where a process serves it so: user code must have no more rights here than there. */
  readonly isolation?: 'schema' | 'role';
}

/** What a login finds in its database. */
export interface FoundTenants {
  readonly tenants: readonly MarkedSchema[];
  /** Schemas that this login may use, and that a stranger owns, who could have it run anything: not served. */
  readonly strange: readonly { readonly schema: string; readonly owner: string }[];
}

/**
 * Whether what a role owns may be used by this login without being named by the application: its own, and that of roles
 * that have its rights anyway (superusers, the database's owner, members), or that are a group of its own. Any other role
 * may have put a trigger or a view there, and granted it to this login, to have it run with this login's rights.
 */
function isTrusted(role: string): string {
  return `(${role} IN (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
           OR EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.oid = ${role}
                AND (o.rolname = current_user OR o.rolsuper OR pg_catalog.pg_has_role(o.oid, current_user, 'MEMBER')
                     OR (NOT o.rolcanlogin AND pg_catalog.pg_has_role(current_user, o.oid, 'MEMBER')))))`;
}

/** How the comment on the history table begins that keeps a tenant's name, where it isn't the schema's. */
const PREFIX = 'tenant: ';

/**
 * The tenants of the database that the login may use, told by the library's history table: there is no registry.
 * `public` is left out: it is where an application's own tables are, and an application says so if it is a tenant.
 * Nor are those that have a login of their own: this one may use them, if it made them, and would have more rights.
 */
export async function findTenants(pool: pg.Pool): Promise<FoundTenants> {
  const rows = await readRows<{
    schema: string;
    comment: string | null;
    isolated: boolean;
    stranger: string | null;
  }>(
    pool,
    `SELECT n.nspname AS schema, obj_description(c.oid, 'pg_class') AS comment,
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
  return {
    tenants: rows
      .filter(({ stranger }) => stranger === null)
      .map(({ schema, comment, isolated }) => ({
        schema,
        tenant: nameIn(comment) ?? schema,
        isolation: isolated ? 'role' : 'schema',
      })),
    strange: rows.flatMap(({ schema, stranger: owner }) =>
      owner === null ? [] : [{ schema, owner }],
    ),
  };
}

/** Which of the schemas there are, whether or not the login may use them. */
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

/** Those whose name is not kept with their schema yet. */
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
  const kept = new Map(rows.map(({ schema, comment }) => [schema, nameIn(comment)]));
  return tenants.filter(({ schema, tenant }) => kept.get(schema) !== tenant);
}

/** Keeps a tenant's name with its schema. Only the owner of the table may. */
export async function keepName(pool: pg.Pool, { schema, tenant }: MarkedSchema): Promise<void> {
  const table = `${pg.escapeIdentifier(schema)}.${CLOACINA_MIGRATIONS_TABLE}`;
  await pool.query(`COMMENT ON TABLE ${table} IS ${pg.escapeLiteral(PREFIX + tenant)}`);
}

function nameIn(comment: string | null): string | undefined {
  return comment?.startsWith(PREFIX) === true ? comment.slice(PREFIX.length) : undefined;
}
