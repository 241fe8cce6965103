import { createHash } from 'node:crypto';
import pg from 'pg';
import {
  connectionConfig,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { quoteIdentifier } from '../quote-identifier.js';

/** A connection of the login that may make schemas and roles, and what it is. */
export interface AdminSession {
  readonly client: pg.Client;
  readonly database: string;
  /** Whose rights count. */
  readonly login: string;
  /** Who is a member of what. The same, unless the login has a default role. */
  readonly sessionLogin: string;
  readonly isSuperuser: boolean;
  readonly mayCreateRoles: boolean;
  readonly mayCreateSchemas: boolean;
  /** Such as 150004. */
  readonly serverVersion: number;
}

/** How long one call waits for another one that works at the same tenant, or for a lock on its tables. */
const LOCK_TIMEOUT_MS = 60_000;

/** Opens a connection for as long as `work` takes. What it does is rare, so nothing is kept open for it. */
export async function inAdminSession<T>(
  source: ConnectionSource,
  work: (session: AdminSession) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    ...connectionConfig(source),
    types: OWN_TYPES,
    application_name: 'cloacina-admin',
    connectionTimeoutMillis: 10_000,
  });
  // Who waits for a statement learns of it by that.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // Nothing of a tenant's, nor of another role's in `public`, is found by its name.
    await client.query('SET search_path TO pg_catalog, pg_temp');
    return await work(await describeSession(client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function describeSession(client: pg.Client): Promise<AdminSession> {
  const { rows } = await client.query<Omit<AdminSession, 'client'>>(
    `SELECT current_database() AS database, current_user AS login, session_user AS "sessionLogin",
            r.rolsuper AS "isSuperuser", r.rolsuper OR r.rolcreaterole AS "mayCreateRoles",
            has_database_privilege(current_database(), 'CREATE') AS "mayCreateSchemas",
            current_setting('server_version_num')::integer AS "serverVersion"
       FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error('The login has no role.');
  await client.query(`SET lock_timeout TO ${LOCK_TIMEOUT_MS}`);
  return { client, ...facts };
}

/**
 * Keeps others from working at the tenant until the session ends, however it ends. By the lower-case name, so that
 * two names that differ in case only are never both found free.
 */
export async function lockTenant(
  { client }: AdminSession,
  names: { readonly schema: string; readonly username?: string | undefined },
): Promise<void> {
  // One order for all: the schema first.
  const keys = [`schema ${names.schema.toLowerCase()}`];
  if (names.username !== undefined) keys.push(`role ${names.username.toLowerCase()}`);
  for (const key of keys) {
    const hash = createHash('sha256').update(`nestjs-cloacina/admin/${key}`).digest();
    await client.query('SELECT pg_advisory_lock($1::bigint)', [hash.readBigInt64BE().toString()]);
  }
}

/** All of `work`, or none of it. */
export async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * Gives this login the rights of the role, to make and drop what is the role's. Since PostgreSQL 16 who makes a role
 * may grant it, but neither has its rights nor may become it before; until 15 there is only membership.
 */
export async function joinRole(session: AdminSession, role: string): Promise<void> {
  if (session.isSuperuser) return;
  const { rows } = await session.client.query<{ joined: boolean }>(
    `SELECT pg_has_role(current_user, $1::name, 'USAGE')
        AND pg_has_role(session_user, $1::name, '${session.serverVersion >= 160_000 ? 'SET' : 'MEMBER'}') AS joined`,
    [role],
  );
  if (rows[0]?.joined === true) return;
  const members = [...new Set([session.login, session.sessionLogin])].map(quoteIdentifier);
  const options = session.serverVersion >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  await session.client.query(`GRANT ${quoteIdentifier(role)} TO ${members.join(', ')}${options}`);
}
