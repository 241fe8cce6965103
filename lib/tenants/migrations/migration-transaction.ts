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
 * How long one wait for a lock takes, the schema's or a table's; then it is logged and all is begun anew. Who waits
 * for a table makes every later statement on it wait.
 */
const LOCK_TIMEOUT_MS = 5_000;
/** How long to wait in all for another process that migrates the schema. */
const GIVE_UP_AFTER_MS = 10 * 60_000;
/** A process that stops in the middle of a migration holds the schema's lock for no longer than this. */
const IDLE_TIMEOUT_MS = 5 * 60_000;
/** Tries, when the database picks this transaction as the one to fail. */
const MAX_TRIES = 5;

/** Fails the transaction so that it is run again: what it had found out is no longer true. */
export class SchemaChangedMeanwhile extends Error {}

export interface MigrationTransaction {
  readonly dataSource: DataSource;
  readonly pool: pg.Pool;
  readonly schema: string;
  /** A second schema that must not be migrated at the same time. */
  readonly alsoLocked?: string;
  readonly warn: (message: string) => void;
  readonly lockTimeoutMs?: number;
  readonly giveUpAfterMs?: number;
}

/**
 * Runs `work` in one transaction under the schema's lock, which TypeORM's migrations lack: of any number of
 * processes that boot at once, one migrates while the others wait and then find nothing to do. A process that dies
 * at any point leaves the schema as it was.
 *
 * The wait is done in short turns, since a waiting statement holds a snapshot that vacuum has to respect.
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
          // Migrations may take longer than what the login allows a statement.
          await client.query(
            `SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO ${lockTimeoutMs}`,
          );
          // Always in this order.
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
          `Migrating schema "${schema}" once more, since it failed: ${messageWithoutSecrets(error)}`,
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
        `Another process has been migrating the schema for ${waited}: ${holder}. See what it does in ` +
        'pg_stat_activity; end it if it hangs, and boot again.',
    });
  }
  warn(`Waiting for ${waited} for the migration of schema "${schema}" by ${holder}.`);
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
