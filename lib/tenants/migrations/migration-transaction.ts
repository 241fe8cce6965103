import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { messageWithoutSecrets, MigrationError } from '../../errors/index.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import {
  runInTenantTransaction,
  type TenantWork,
} from '../../store/postgres/tenant-transaction.js';
import { describeLockHolder, lockSchema } from './schema-lock.js';

/**
 * How long one wait for the schema's lock, or for a table's, may take, in ms. It is short because later statements on the
 * table queue behind the wait. The transaction then starts again, and the wait is logged.
 */
const LOCK_TIMEOUT_MS = 5_000;
/** How long to wait in total for another process that migrates the schema, in ms. */
const GIVE_UP_AFTER_MS = 10 * 60_000;
/**
 * Maximum idle time in a migration, in ms, after which the server ends the session of a hung process and frees its
 * lock.
 */
const IDLE_TIMEOUT_MS = 5 * 60_000;
/** Maximum number of attempts after deadlocks and similar conflicts. */
const MAX_TRIES = 5;

/** Makes the transaction run again, because facts that it had read have changed. */
export class SchemaChangedMeanwhile extends Error {}

export interface MigrationTransaction {
  readonly dataSource: DataSource;
  readonly pool: pg.Pool;
  readonly schema: string;
  /** A second schema to lock against migrations. */
  readonly alsoLocked?: string;
  readonly warn: (message: string) => void;
  readonly lockTimeoutMs?: number;
  readonly giveUpAfterMs?: number;
}

/**
 * Runs `work` in one transaction under the schema's lock, which TypeORM's migrations lack. If several processes boot at
 * once, one migrates while the others wait and then find nothing to do. If the process dies at any point, the schema is
 * unchanged.
 *
 * It waits for the lock in short intervals, because a waiting statement has a snapshot that holds back vacuum.
 */
export async function inMigrationTransaction<T>(
  settings: MigrationTransaction,
  work: TenantWork<T>,
): Promise<T> {
  const { dataSource, schema } = settings;
  const { lockTimeoutMs = LOCK_TIMEOUT_MS, giveUpAfterMs = GIVE_UP_AFTER_MS } = settings;
  const schemas = [schema, ...(settings.alsoLocked === undefined ? [] : [settings.alsoLocked])];
  schemas.sort();
  const began = performance.now();

  for (let tries = 1; ;) {
    const progress = { locked: false };
    try {
      return await runInTenantTransaction(
        dataSource,
        schema,
        async (manager, client) => {
          // A migration may take longer than the login's statement_timeout.
          await client.query(
            `SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO ${lockTimeoutMs}`,
          );
          // Always in sorted order, so that two moves cannot deadlock.
          for (const each of schemas) await lockSchema(client, each);
          progress.locked = true;
          return work(manager, client);
        },
        { idleTimeoutMs: IDLE_TIMEOUT_MS },
      );
    } catch (error) {
      if (!progress.locked && sqlState(error) === SqlState.lockNotAvailable) {
        await reportWait(settings, schemas, performance.now() - began, giveUpAfterMs);
      } else if (tries < MAX_TRIES && isWorthAnotherTry(error)) {
        tries++;
        settings.warn(
          `Migrating schema "${schema}" again, because it failed: ${messageWithoutSecrets(error)}`,
        );
      } else {
        throw error;
      }
    }
  }
}

async function reportWait(
  { pool, schema, warn }: MigrationTransaction,
  schemas: readonly string[],
  waitedMs: number,
  giveUpAfterMs: number,
): Promise<void> {
  const holders = await Promise.all(schemas.map((each) => describeLockHolder(pool, each)));
  const holder = holders.find((each) => each !== undefined) ?? 'a session that has just ended';
  const waited = `${Math.round(waitedMs / 1000)} s`;
  if (waitedMs >= giveUpAfterMs) {
    throw new MigrationError({
      schema,
      advice:
        `Another process has been migrating the schema for ${waited}: ${holder}. Check its activity in ` +
        'pg_stat_activity; terminate it if it hangs, and boot again.',
    });
  }
  warn(`Waiting for the migration of schema "${schema}" by ${holder}, ${waited} so far.`);
}

function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof SchemaChangedMeanwhile) return true;
  const code = sqlState(error);
  return (
    code === SqlState.lockNotAvailable ||
    code === SqlState.deadlock ||
    code === SqlState.serializationFailure
  );
}
