import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { failureKind } from '../../store/postgres/classify-failure.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { tenantTables } from '../../store/postgres/statements/statement.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { inTransaction } from './admin-session.js';
import { lockPlainTables } from './plain-tables.js';

/** How often running handlers are looked for, in milliseconds. */
const LOOK_MS = 100;
/** How long one wait for a lock on the tenant's tables takes; every later statement waits behind it. */
const LOCK_TIMEOUT_MS = 2_000;
/** How long an ended connection may take to be gone, in milliseconds. */
const END_TIMEOUT_MS = 10_000;
const MAX_TRIES = 4;

/**
 * From here on nothing begins in the schema, in any process, and what runs may end: the tasks that wait are held, and
 * new executions are refused. A constraint refuses them, because the tables' owner, and a superuser, pass every other
 * bar; it tells the rows there are from those to come by their time.
 *
 * A handler's transaction may keep it out. It is given up when the time is over: what runs is ended then anyway.
 *
 * False: the tables are not as the library has made them, so to change a row would run what a tenant has written, with
 * the rights of this login. Then nothing is stopped, and nothing is to be waited for.
 */
export async function stopWork(
  client: pg.Client,
  schema: string,
  drainMs: number,
): Promise<boolean> {
  const tables = tenantTables(quoteIdentifier(schema));
  const end = performance.now() + drainMs;
  for (;;) {
    try {
      return await inLockTimeout(client, async () => {
        if (!(await lockPlainTables(client, schema))) return false;
        await client.query(
          `DO $$ BEGIN
             EXECUTE format('ALTER TABLE ONLY ${tables.execution} ADD CONSTRAINT cloacina_tenant_is_being_removed
               CHECK (created_at <= %L) NOT VALID', ${tables.clock.now});
           EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
        );
        await client.query(
          `UPDATE ONLY ${tables.task} SET paused = true
            WHERE NOT paused AND status IN ('NotStarted', 'Ready', 'Running')`,
        );
        return true;
      });
    } catch (error) {
      if (isOfTheTables(error)) return false;
      if (!isLockFailure(error)) throw error;
      if (performance.now() >= end) return true;
    }
  }
}

/** Resolves when no living process holds a claim in the schema, or when the time is over. */
export async function untilIdle(client: pg.Client, schema: string, drainMs: number): Promise<void> {
  const tables = tenantTables(quoteIdentifier(schema));
  const end = performance.now() + drainMs;
  for (;;) {
    const isIdle = await inLockTimeout(client, async () => {
      if (!(await lockPlainTables(client, schema))) return true;
      const { rows } = await client.query(
        `SELECT FROM ONLY ${tables.task} t JOIN ONLY ${tables.lease} l ON l.instance_id = t.owner
          WHERE t.owner IS NOT NULL AND l.expires_at > ${tables.clock.now} LIMIT 1`,
      );
      return rows.length === 0;
    }).catch((error: unknown) => {
      if (isOfTheTables(error)) return true;
      if (!isLockFailure(error)) throw error;
      return false;
    });
    const left = end - performance.now();
    if (isIdle || left <= 0) return;
    await delay(Math.min(LOOK_MS, left));
  }
}

/** Ends the role's connections and waits until they are gone. */
export async function endConnections(client: pg.Client, role: string): Promise<void> {
  const end = performance.now() + END_TIMEOUT_MS;
  for (;;) {
    const { rows } = await client.query(
      `SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.usename = $1`,
      [role],
    );
    if (rows.length === 0) return;
    if (performance.now() > end) {
      throw new Error(`${rows.length} connections of role ${JSON.stringify(role)} do not end.`);
    }
    await delay(LOOK_MS);
  }
}

/** Runs `work` in one transaction; when it has to wait too long for a lock, ends who holds it and does it again. */
export async function insistently(
  client: pg.Client,
  schema: string,
  work: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await inLockTimeout(client, work);
      return;
    } catch (error) {
      if (!isLockFailure(error)) throw error;
      if (attempt === MAX_TRIES) throw await describeLock(client, schema, error);
      await endLockHolders(client, schema);
    }
  }
}

function inLockTimeout<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  return inTransaction(client, async () => {
    await client.query(`SET LOCAL lock_timeout TO ${LOCK_TIMEOUT_MS}`);
    return work();
  });
}

function isLockFailure(error: unknown): boolean {
  const code = sqlState(error);
  return code === SqlState.lockNotAvailable || code === SqlState.deadlock;
}

/**
 * The tables are not as the library makes them: a column was renamed, has another type, or a table inherits. A tenant
 * whose owner has changed them can't be stopped by rows, and must not become impossible to remove by that.
 */
function isOfTheTables(error: unknown): boolean {
  if (sqlState(error) === SqlState.insufficientPrivilege) return false;
  const kind = failureKind(error);
  return (
    kind === 'refused' || kind === 'data' || (kind === 'passing' && sqlState(error) !== undefined)
  );
}

/**
 * Ends, where this login may, the transactions that hold locks on the schema's tables. By now only a handler
 * that ignores its time, or a stranger, has any.
 */
async function endLockHolders(client: pg.Client, schema: string): Promise<void> {
  await client.query(
    `DO $$ DECLARE holder integer; BEGIN
       FOR holder IN
         SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
          WHERE c.relnamespace = ${literal(schema)}::regnamespace AND l.granted AND l.pid <> pg_backend_pid()
       LOOP
         BEGIN PERFORM pg_terminate_backend(holder);
         EXCEPTION WHEN insufficient_privilege THEN NULL; END;
       END LOOP;
     END $$`,
  );
}

async function describeLock(client: pg.Client, schema: string, cause: unknown): Promise<Error> {
  const { rows } = await client.query<{ holder: string }>(
    `SELECT DISTINCT format('backend %s (%s, role %s)', l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'),
                            coalesce(a.usename, '?')) AS holder
       FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE c.relnamespace = ${literal(schema)}::regnamespace AND l.granted AND l.pid <> pg_backend_pid()`,
  );
  const holders = rows.map(({ holder }) => holder).join(', ');
  if (holders === '') return new Error('Its tables stayed locked.', { cause });
  return new Error(`its tables are locked by ${holders}, which this login may not end`, { cause });
}

/** A schema's quoted name as a literal; it has passed the check of names. */
function literal(schema: string): string {
  return `'${quoteIdentifier(schema)}'`;
}
