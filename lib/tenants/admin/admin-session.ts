import { createHash } from 'node:crypto';
import pg from 'pg';
import {
  connectionConfig,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import { destroySocket } from '../../store/postgres/connections/destroy-socket.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { untraced } from '../../runtime/untraced.js';

/** A connection of the login that creates schemas and roles, and the facts about the login and the server. */
export interface AdminSession {
  readonly client: pg.Client;
  readonly database: string;
  /** The current user, whose rights apply. */
  readonly login: string;
  /** The session user, whose memberships apply. The same as `login`, unless the login has a default role. */
  readonly sessionLogin: string;
  readonly isSuperuser: boolean;
  readonly mayCreateRoles: boolean;
  readonly mayCreateSchemas: boolean;
  /** The value of server_version_num, such as 150004. */
  readonly serverVersion: number;
}

/**
 * How long a call waits for another call for the same tenant, or for a lock on the tenant's tables, in milliseconds.
 */
const LOCK_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 5_000;

/**
 * The server ends a session whose client's host or network is gone after some seconds. Until then the session holds its locks, such
 * as that of a move, whose stop nothing undoes.
 */
export const GONE_CLIENT_SETTINGS: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '5',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '15000',
};

/** Runs `work` on a connection of its own. Admin calls are rare, so no connection is kept open for them. */
export function inAdminSession<T>(
  source: ConnectionSource,
  work: (session: AdminSession) => Promise<T>,
): Promise<T> {
  return untraced(() => runInSession(source, work));
}

async function runInSession<T>(
  source: ConnectionSource,
  work: (session: AdminSession) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    ...connectionConfig(source),
    types: OWN_TYPES,
    application_name: 'cloacina-admin',
    connectionTimeoutMillis: 10_000,
  });
  // A lost connection also rejects the running statement, which reports the error.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // Unqualified names resolve to pg_catalog only, never to objects of a tenant or of others in `public`.
    const settings = { search_path: 'pg_catalog, pg_temp', ...GONE_CLIENT_SETTINGS };
    const set = Object.entries(settings).map(([name, value]) => `SET ${name} TO ${value}`);
    await client.query(set.join('; '));
    return await work(await describeSession(client));
  } finally {
    await end(client);
  }
}

/** Ends the session. A server that does not answer is not waited for. */
async function end(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => destroySocket(client), END_TIMEOUT_MS);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
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
 * Locks the tenant against other admin calls until the session ends. The locks are on the lower-case names, so two calls
 * whose names differ only in case cannot both find their name free.
 */
export async function lockTenant(
  { client }: AdminSession,
  names: { readonly schema: string; readonly username?: string | undefined },
): Promise<void> {
  // All calls lock in the same order, schema first, so they cannot deadlock.
  const keys = [`schema ${names.schema.toLowerCase()}`];
  if (names.username !== undefined) keys.push(`role ${names.username.toLowerCase()}`);
  for (const key of keys) {
    const hash = createHash('sha256').update(`nestjs-cloacina/admin/${key}`).digest();
    await client.query('SELECT pg_advisory_lock($1::bigint)', [hash.readBigInt64BE().toString()]);
  }
}

/** Runs `work` in a transaction. */
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
 * Makes this login a member of the role, so that it can create and drop the role's objects. Since PostgreSQL 16 the
 * creator of a role may grant it, but neither inherits its rights nor may SET ROLE to it without these options. Up to 15,
 * membership includes both.
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
