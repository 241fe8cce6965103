import pg from 'pg';
import { ConfigurationError, PermissionError } from '../../errors/index.js';
import { APPLICATION_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { inPoolTransaction } from '../../store/postgres/connections/pool-transaction.js';
import { isolationPurpose } from '../admin/role-purpose.js';
import { isolationRoleName } from '../admin/role-name.js';
import { lockSchema } from './schema-lock.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { readRows } from '../../store/postgres/connections/own-types.js';

/** Rights of user code on the application's tables, and on tables of the library and of migration histories. */
const DATA = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;
const READ_ONLY = ['SELECT'] as const;
/** Rights that the role must not have: TRUNCATE bypasses triggers and row security, the others create objects. */
const NEVER = ['TRUNCATE', 'REFERENCES', 'TRIGGER'] as const;

export interface IsolatedTenant {
  readonly pool: pg.Pool;
  readonly tenant: string;
  readonly schema: string;
}

interface Facts {
  readonly database: string;
  readonly login: string;
  readonly sessionLogin: string;
  readonly mayCreateRoles: boolean;
  readonly serverVersion: number;
}

interface RoleFacts {
  /** Whether the role has no login, no attribute and no membership that gives it more than its grants. */
  readonly isPlain: boolean;
  readonly mayAssume: boolean;
  readonly mayUse: boolean;
  readonly hasDefaults: boolean;
}

/** An object in the schema on which the role has wrong rights, and whose rights this login may change. */
interface Deviation {
  readonly name: string;
  readonly kind: 'data' | 'readOnly' | 'sequence';
}

/**
 * Creates or repairs the NOLOGIN role under which the tenant's user code runs, and returns its name. The login can then
 * assume the role. The role may read and write the application's tables, read the library's, and nothing else. If all is
 * in order, it takes three short statements. Several processes may call it at once.
 *
 * @throws PermissionError if the login may not create roles, with the statements that an administrator must run
 */
export async function ensureIsolationRole(isolated: IsolatedTenant): Promise<string> {
  const { pool, schema } = isolated;
  const facts = await readFacts(pool);
  const role = isolationRoleName(facts.database, schema);
  if (await isInOrder(pool, facts, role, schema)) return role;

  await inPoolTransaction(pool, async (client) => {
    await lockSchema(client, schema);
    await putInOrder(client, facts, role, isolated);
  });
  return role;
}

type Queryable = Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>;

async function readFacts(queryable: Queryable): Promise<Facts> {
  const rows = await readRows<Facts>(
    queryable,
    `SELECT current_database() AS database, current_user AS login, session_user AS "sessionLogin",
            r.rolsuper OR r.rolcreaterole AS "mayCreateRoles",
            current_setting('server_version_num')::integer AS "serverVersion"
       FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error('The login has no role.');
  return facts;
}

async function isInOrder(
  queryable: Queryable,
  facts: Facts,
  role: string,
  schema: string,
): Promise<boolean> {
  const found = await readRole(queryable, facts, role, schema);
  if (found?.isPlain !== true || !found.mayAssume || !found.mayUse || !found.hasDefaults)
    return false;
  return (await deviations(queryable, role, schema)).length === 0;
}

async function readRole(
  queryable: Queryable,
  { serverVersion }: Facts,
  role: string,
  schema: string,
): Promise<RoleFacts | undefined> {
  const rows = await readRows<RoleFacts>(
    queryable,
    `SELECT NOT (r.rolcanlogin OR r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls
                 OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)) AS "isPlain",
            pg_has_role(session_user, r.oid, $3::text) AS "mayAssume",
            has_schema_privilege(r.oid, n.oid, 'USAGE') AS "mayUse",
            EXISTS (SELECT FROM pg_catalog.pg_default_acl d, aclexplode(d.defaclacl) a
                     WHERE d.defaclnamespace = n.oid AND d.defaclobjtype = 'r' AND a.grantee = r.oid
                       AND pg_get_userbyid(d.defaclrole) = current_user) AS "hasDefaults"
       FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_namespace n ON n.nspname = $2::name
      WHERE r.rolname = $1::name`,
    [role, schema, serverVersion >= 160_000 ? 'SET' : 'MEMBER'],
  );
  return rows[0];
}

/**
 * Tables, views and sequences on which the role has too few or too many rights, as far as this login may grant them.
 */
async function deviations(
  queryable: Queryable,
  role: string,
  schema: string,
): Promise<Deviation[]> {
  const rows = await readRows<Deviation>(
    queryable,
    `SELECT name, kind FROM (
       SELECT c.oid, c.relname AS name,
              CASE WHEN c.relkind = 'S' THEN 'sequence'
                   WHEN c.relname LIKE 'cloacina\\_%' OR c.relname = $3::name THEN 'readOnly'
                   ELSE 'data' END AS kind
         FROM pg_catalog.pg_class c
        WHERE c.relnamespace = $2::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND pg_has_role(c.relowner, 'USAGE')
     ) found, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1::name) role
     WHERE CASE kind
       WHEN 'sequence' THEN name NOT LIKE 'cloacina\\_%' AND NOT has_sequence_privilege(role.oid, found.oid, 'USAGE')
       WHEN 'readOnly' THEN NOT has_table_privilege(role.oid, found.oid, 'SELECT')
         OR has_table_privilege(role.oid, found.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       ELSE NOT (has_table_privilege(role.oid, found.oid, 'SELECT') AND has_table_privilege(role.oid, found.oid, 'INSERT')
             AND has_table_privilege(role.oid, found.oid, 'UPDATE') AND has_table_privilege(role.oid, found.oid, 'DELETE'))
       END`,
    [role, quoteIdentifier(schema), APPLICATION_MIGRATIONS_TABLE],
  );
  return rows;
}

async function putInOrder(
  client: pg.ClientBase,
  facts: Facts,
  role: string,
  { tenant, schema }: IsolatedTenant,
): Promise<void> {
  const quoted = quoteIdentifier(role);
  const inSchema = quoteIdentifier(schema);
  const found = await readRole(client, facts, role, schema);
  if (found === undefined) await createRole(client, facts, role, { tenant, schema });
  else if (!found.isPlain) throw notPlain(tenant, role);
  if (found?.mayAssume !== true) await letLoginAssume(client, facts, role, { tenant, schema });
  if (found?.mayUse !== true) {
    await client.query(`GRANT USAGE ON SCHEMA ${inSchema} TO ${quoted}`);
  }
  if (found?.hasDefaults !== true) {
    // For objects of later migrations, until the next boot checks them one by one.
    await client.query(
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${inSchema} GRANT ${DATA.join(', ')} ON TABLES TO ${quoted};
       ALTER DEFAULT PRIVILEGES IN SCHEMA ${inSchema} GRANT USAGE, SELECT ON SEQUENCES TO ${quoted}`,
    );
  }
  for (const { name, kind } of await deviations(client, role, schema)) {
    const object = `${inSchema}.${pg.escapeIdentifier(name)}`;
    if (kind === 'sequence') {
      await client.query(`GRANT USAGE, SELECT ON SEQUENCE ${object} TO ${quoted}`);
      continue;
    }
    const rights = kind === 'data' ? DATA : READ_ONLY;
    const others = [...DATA, ...NEVER].filter(
      (right) => !rights.some((granted) => granted === right),
    );
    await client.query(
      `REVOKE ${others.join(', ')} ON ${object} FROM ${quoted}; GRANT ${rights.join(', ')} ON ${object} TO ${quoted}`,
    );
  }
}

async function createRole(
  client: pg.ClientBase,
  facts: Facts,
  role: string,
  { tenant, schema }: Pick<IsolatedTenant, 'tenant' | 'schema'>,
): Promise<void> {
  const quoted = quoteIdentifier(role);
  if (!facts.mayCreateRoles) throw missing(facts, role, tenant, `CREATE ROLE ${quoted} NOLOGIN; `);
  await client.query(
    `CREATE ROLE ${quoted} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT`,
  );
  const purpose = isolationPurpose({ database: facts.database, schema });
  await client.query(`COMMENT ON ROLE ${quoted} IS ${pg.escapeLiteral(purpose)}`);
}

/**
 * Grants the role to the login unless it may assume the role already. Since PostgreSQL 16 the creator of a role may grant
 * it, but may not assume it without the grant. Superusers may assume any role.
 */
async function letLoginAssume(
  client: pg.ClientBase,
  facts: Facts,
  role: string,
  tenant: Pick<IsolatedTenant, 'tenant' | 'schema'>,
): Promise<void> {
  const found = await readRole(client, facts, role, tenant.schema);
  if (found?.mayAssume === true) return;
  if (!facts.mayCreateRoles) throw missing(facts, role, tenant.tenant, '');
  await client.query(grantOf(facts, role));
}

function grantOf({ sessionLogin, serverVersion }: Facts, role: string): string {
  const options = serverVersion >= 160_000 ? ' WITH INHERIT FALSE, SET TRUE' : '';
  return `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(sessionLogin)}${options}`;
}

function missing(facts: Facts, role: string, tenant: string, before: string): PermissionError {
  return new PermissionError({
    action: `create roles, and tenant ${JSON.stringify(tenant)} is isolated by one of its own`,
    grant: `${before}${grantOf(facts, role)}`,
  });
}

function notPlain(tenant: string, role: string): ConfigurationError {
  return new ConfigurationError([
    `Tenant ${JSON.stringify(tenant)}: the role ${JSON.stringify(role)}, which isolates it, may log in, has an ` +
      'attribute, or is a member of another role. Remove that, or drop the role: the next boot creates it again.',
  ]);
}
