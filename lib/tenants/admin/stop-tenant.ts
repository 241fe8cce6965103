import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { failureKind } from '../../store/postgres/classify-failure.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { tenantTables } from '../../store/postgres/statements/statement.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { inTransaction } from './admin-session.js';
import { lockPlainTables } from './plain-tables.js';

/** Interval between looks for running handlers or open connections, in milliseconds. */
const LOOK_MS = 100;
/**
 * How long to wait for a lock on the tenant's tables, in milliseconds. Every later statement queues behind the wait.
 */
const LOCK_TIMEOUT_MS = 2_000;
/** How long terminated connections may take to close, in milliseconds. */
const END_TIMEOUT_MS = 10_000;
const MAX_TRIES = 4;

/**
 * Stops new work in the schema, in all processes: pauses the unfinished tasks, and makes a constraint reject new
 * executions. Running handlers may finish. A constraint is used because it binds the tables' owner and superusers too.
 * Its condition on the time of creation accepts the existing rows and rejects new ones.
 *
 * A handler's transaction may block the constraint. It is given up after `drainMs`, when running handlers are terminated
 * anyway.
 *
 * @returns false if the tables are not as the library creates them. Changing a row could then run the tenant's code with
 *   this login's rights, so nothing is stopped, and the caller should not wait
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
            WHERE NOT paused AND status IN ('NotStarted', 'Ready', 'Running', 'Waiting')`,
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

/** Resolves when no living process has a claim in the schema, or after `drainMs`. */
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

/** Terminates the role's connections and waits until they are closed. */
export async function endConnections(client: pg.Client, role: string): Promise<void> {
  const end = performance.now() + END_TIMEOUT_MS;
  for (;;) {
    const { rows } = await client.query(
      `SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.usename = $1`,
      [role],
    );
    if (rows.length === 0) return;
    if (performance.now() > end) {
      throw new Error(`${rows.length} connections of role ${JSON.stringify(role)} did not end.`);
    }
    await delay(LOOK_MS);
  }
}

/** Runs `work` in a transaction. If it waits too long for a lock, terminates the holders and tries again. */
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
 * Whether the error shows that the tables are not as the library creates them: a column was renamed or has another type,
 * or a table inherits. Work in changed tables can't be stopped by rows, and the change must not prevent the removal.
 */
function isOfTheTables(error: unknown): boolean {
  if (sqlState(error) === SqlState.insufficientPrivilege) return false;
  const kind = failureKind(error);
  return (
    kind === 'refused' || kind === 'data' || (kind === 'passing' && sqlState(error) !== undefined)
  );
}

/**
 * Terminates transactions that hold locks on the schema's tables, as far as this login may. At this point only handlers
 * beyond their time, or sessions outside of the library, hold any.
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
  if (holders === '') return new Error('its tables stayed locked', { cause });
  return new Error(`its tables are locked by ${holders}, which this login may not terminate`, {
    cause,
  });
}

/** The schema's quoted name as a literal. The check of names has ensured that it contains no quote. */
function literal(schema: string): string {
  return `'${quoteIdentifier(schema)}'`;
}
