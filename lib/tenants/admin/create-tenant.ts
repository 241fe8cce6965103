import pg from 'pg';
import {
  InvalidArgumentError,
  NotAllowedError,
  PermissionError,
  TenantExistsError,
  TenantIncompleteError,
} from '../../errors/index.js';
import {
  connectionConfig,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { createTenantDataSource } from '../../store/postgres/typeorm/data-source.js';
import { quietPool } from '../../store/postgres/connections/pools.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { type AdminSession, inTransaction, joinRole } from './admin-session.js';
import { endConnections } from './stop-tenant.js';
import { loginPurpose, type LoginStage } from './role-purpose.js';
import { describeState, readTenantState, type TenantState } from './tenant-state.js';

export interface TenantNames {
  readonly schema: string;
  readonly username: string;
}

/** Attributes of a tenant's login. All are named, so that no default of the server grants one. */
const ATTRIBUTES =
  'NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT -1';

/**
 * Whether the tenant is already complete. If not, createTenant() may create or complete it.
 *
 * @throws InvalidArgumentError for names that something else uses
 * @throws TenantIncompleteError for a tenant that is being removed
 */
export function isComplete(names: TenantNames, state: TenantState): boolean {
  const { schema, username } = names;
  refuse('schema', schema, state.similarSchema, 'schema');
  refuse('username', username, state.similarRole, 'role');
  if (state.foreignRole) {
    throw new InvalidArgumentError(
      'username',
      `${JSON.stringify(username)} already is a role of this server, and createTenant() did not create it for schema ` +
        `${JSON.stringify(schema)}; choose another name`,
    );
  }
  if (state.login?.stage === 'removing') {
    throw new TenantIncompleteError({
      operation: 'createTenant',
      schema,
      remaining: describeState(schema, state),
      advice:
        'It is being removed. Call removeTenant() again to finish that, and then createTenant().',
    });
  }
  if (state.login !== undefined && state.login.name !== username) {
    throw new InvalidArgumentError(
      'username',
      `must be ${JSON.stringify(state.login.name)}, which is the role of schema ${JSON.stringify(schema)}`,
    );
  }
  if (state.schema !== undefined && state.schema.owner !== username) {
    throw new InvalidArgumentError(
      'schema',
      `${JSON.stringify(schema)} already exists and belongs to the role ${JSON.stringify(state.schema.owner)}; choose ` +
        'another name, or serve the schema with that login',
    );
  }
  if (state.login?.stage !== 'ready') return false;
  if (state.schema !== undefined && !state.schema.hasTables) {
    // The tenant could log in, so it may have put code into the schema. A login with more rights must not run that.
    throw new TenantIncompleteError({
      operation: 'createTenant',
      schema,
      remaining: describeState(schema, state),
      advice:
        "The tenant's login has dropped or renamed the table cloacina_migrations. Open the tenant with its own " +
        'databaseUrl, which creates the tables, or call removeTenant() and then createTenant().',
    });
  }
  return state.schema !== undefined;
}

function refuse(argument: string, name: string, similar: string | undefined, what: string): void {
  if (similar === undefined) return;
  throw new InvalidArgumentError(
    argument,
    `${JSON.stringify(name)} differs from the ${what} ${JSON.stringify(similar)} only in case; choose another name`,
  );
}

/** @throws PermissionError if the login may not create roles or schemas */
export function assertMayCreate(session: AdminSession): void {
  const login = quoteIdentifier(session.login);
  if (!session.mayCreateRoles) {
    throw new PermissionError({ action: 'create roles', grant: `ALTER ROLE ${login} CREATEROLE` });
  }
  if (!session.mayCreateSchemas) {
    const database = quoteIdentifier(session.database);
    throw new PermissionError({
      action: 'create schemas',
      grant: `GRANT CREATE ON DATABASE ${database} TO ${login}`,
    });
  }
}

/**
 * Creates the role, which can't log in yet, and its schema, in one transaction. It creates only missing objects, and
 * looks again if another session has created the role or the schema since: by hand, or from another database, where the
 * advisory lock does not apply.
 */
export async function makeRoleAndSchema(session: AdminSession, names: TenantNames): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const state = await readTenantState(session, names);
    isComplete(names, state);
    if (state.login?.stage === 'ready') {
      await shutOut(session, names);
      continue;
    }
    try {
      await inTransaction(session.client, () => makeMissing(session, names, state));
      return;
    } catch (error) {
      if (attempt === MAX_TRIES || !ALREADY_THERE.has(sqlState(error) ?? '')) throw error;
    }
  }
}

/**
 * Locks out the login of a tenant that dropped its schema. It must not create objects before the library's tables
 * exist.
 */
async function shutOut(session: AdminSession, names: TenantNames): Promise<void> {
  await joinRole(session, names.username);
  await inTransaction(session.client, async () => {
    await session.client.query(`ALTER ROLE ${quoteIdentifier(names.username)} NOLOGIN`);
    await setStage(session, names, 'creating');
  });
  await endConnections(session.client, names.username);
}

const MAX_TRIES = 3;
const ALREADY_THERE: ReadonlySet<string> = new Set([
  SqlState.duplicateObject,
  SqlState.duplicateSchema,
  SqlState.uniqueViolation,
]);

async function makeMissing(
  session: AdminSession,
  names: TenantNames,
  state: TenantState,
): Promise<void> {
  const { client, database } = session;
  const role = quoteIdentifier(names.username);
  const schema = quoteIdentifier(names.schema);
  if (state.login === undefined) {
    await client.query(`CREATE ROLE ${role} ${ATTRIBUTES}`);
    await setStage(session, names, 'creating');
  }
  // So that raw SQL on the tenant's own connections finds its tables and no other tenant's.
  await client.query(
    `ALTER ROLE ${role} IN DATABASE ${quoteIdentifier(database)} SET search_path TO ${schema}`,
  );
  await joinRole(session, names.username);
  if (state.schema === undefined) {
    await client.query(`CREATE SCHEMA ${schema} AUTHORIZATION ${role}`);
  }
  await assertConfined(session, names);
}

export async function setStage(
  { client, database }: AdminSession,
  { schema, username }: TenantNames,
  stage: LoginStage,
): Promise<void> {
  const comment = pg.escapeLiteral(loginPurpose({ database, schema }, stage));
  await client.query(`COMMENT ON ROLE ${quoteIdentifier(username)} IS ${comment}`);
}

interface Reach {
  readonly may_connect: boolean;
  /** Schemas, other than its own, in which the role may create objects. */
  readonly creates_in: readonly string[];
}

/**
 * Checks that the tenant's role can do nothing outside of its schema. It may do whatever PUBLIC may, and only the owner
 * of an object can revoke rights of PUBLIC.
 */
async function assertConfined(session: AdminSession, { username }: TenantNames): Promise<void> {
  const { client } = session;
  const database = quoteIdentifier(session.database);
  const reach = async (): Promise<Reach | undefined> => {
    const { rows } = await client.query<Reach>(
      `SELECT has_database_privilege($1::name, current_database(), 'CONNECT') AS may_connect,
              ARRAY(SELECT n.nspname::text FROM pg_catalog.pg_namespace n
                     WHERE has_schema_privilege($1::name, n.oid, 'CREATE')
                       AND pg_get_userbyid(n.nspowner) <> $1::text AND n.nspname NOT LIKE 'pg\\_%'
                     ORDER BY 1) AS creates_in`,
      [username],
    );
    return rows[0];
  };
  let found = await reach();
  const [open] = found?.creates_in ?? [];
  if (open !== undefined) {
    const schema = quoteIdentifier(open);
    throw new NotAllowedError(
      'createTenant()',
      `PUBLIC, and so every tenant, may create objects in schema ${schema} of this database`,
      `Run, as its owner: GRANT CREATE ON SCHEMA ${schema} TO those who need it; ` +
        `REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC;`,
    );
  }
  if (found?.may_connect === false) {
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${quoteIdentifier(username)}`);
    found = await reach();
  }
  // GRANT without the right to grant is only a warning.
  if (found?.may_connect === false) {
    const login = quoteIdentifier(session.login);
    throw new PermissionError({
      action: 'let others connect to this database',
      grant: `GRANT CONNECT ON DATABASE ${database} TO ${login} WITH GRANT OPTION`,
    });
  }
}

/** Migrates under the tenant's role, so that the role owns all objects and its own processes can migrate later. */
export async function migrateAsRole(
  source: ConnectionSource,
  { schema, username }: TenantNames,
): Promise<void> {
  const config = connectionConfig(source);
  const pool = quietPool({
    ...config,
    types: OWN_TYPES,
    options: `${config.options ?? ''} -c role=${username}`.trim(),
    application_name: 'cloacina-admin',
    connectionTimeoutMillis: 10_000,
    max: 2,
  });
  try {
    const dataSource = createTenantDataSource({ pool, schema });
    await new CloacinaMigrator({ tenant: schema, schema, pool, dataSource }).ensure();
  } finally {
    await pool.end();
  }
}

/** Lets the tenant log in. This is the last step. */
export function openForLogin(
  session: AdminSession,
  names: TenantNames,
  verifier: string,
): Promise<void> {
  return inTransaction(session.client, async () => {
    await session.client.query(
      `ALTER ROLE ${quoteIdentifier(names.username)} LOGIN PASSWORD ${pg.escapeLiteral(verifier)}`,
    );
    await setStage(session, names, 'ready');
  });
}

/** Whether the password is the tenant's. The only way to check it is to log in. */
export async function logsIn(connectionString: string): Promise<boolean> {
  const client = new pg.Client({
    ...connectionConfig({ databaseUrl: connectionString }),
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === '28P01') return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

export function alreadyThere({ schema, username }: TenantNames): TenantExistsError {
  return new TenantExistsError(schema, username);
}
