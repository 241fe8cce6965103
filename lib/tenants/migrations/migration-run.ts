import pg from 'pg';
import type { DataSource } from 'typeorm';
import { MigrationError } from '../../errors/index.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { explainFailure } from './migration-failure.js';
import { readHistories, type SchemaHistory } from './migration-history.js';
import {
  appliedOf,
  assertNotAhead,
  assertUsable,
  cloacinaMigrationSet,
  type MigrationSet,
  ObservedMigrationExecutor,
  pendingOf,
} from './migration-set.js';
import { inMigrationTransaction, SchemaChangedMeanwhile } from './migration-transaction.js';
import { outsideTransaction, PARTLY_DONE } from './migration-outside.js';

/** The migrations to run on a schema, and the means to run them. */
export interface MigrationRun {
  readonly pool: pg.Pool;
  /** Contains the migrations and the name of their history table. */
  readonly dataSource: DataSource;
  readonly set: MigrationSet;
  readonly tenant: string;
  readonly schema: string;
  readonly mayCreate?: boolean;
  readonly warn: (message: string) => void;
  readonly lockTimeoutMs?: number;
  readonly giveUpAfterMs?: number;
}

export interface MigrationRunResult {
  readonly schemaCreated: boolean;
  readonly applied: readonly string[];
}

/** What `work` gets under the schema's lock. */
interface Locked {
  readonly client: pg.ClientBase;
  readonly history: SchemaHistory;
  readonly executor: ObservedMigrationExecutor;
  /** `work` records its current migration here, for the error if it fails. */
  readonly progress: Progress;
}

interface Progress {
  migration?: () => string | undefined;
  /** What to do after a failure, if the schema has changed. */
  advice?: string;
}

const STANDS_BEFORE =
  'It was rolled back; earlier migrations remain applied. Fix the cause and boot again.';

/**
 * Creates the schema if it is missing, and applies pending migrations, in one transaction. Migrations with
 * `transaction = false` split it: each runs by itself between two transactions, also under the lock. Pending migrations are
 * determined again under each lock, because another process may have applied some.
 */
export async function applyPending(run: MigrationRun): Promise<MigrationRunResult> {
  const applied: string[] = [];
  let schemaCreated = false;
  for (;;) {
    const part = await applyPart(run, applied.length > 0);
    applied.push(...part.applied);
    schemaCreated ||= part.schemaCreated;
    if (part.isLast) return { schemaCreated, applied };
  }
}

/** Applies pending migrations up to the first with `transaction = false`, or that one if it is the next. */
function applyPart(
  run: MigrationRun,
  isContinued: boolean,
): Promise<MigrationRunResult & { readonly isLast: boolean }> {
  return underLock(run, async (locked) => {
    const { client, history, executor, progress } = locked;
    const schemaCreated = !history.schemaExists;
    if (schemaCreated && run.mayCreate === false) {
      const advice = 'The schema no longer exists. Add the tenant again to create it.';
      throw new MigrationError({ schema: run.schema, advice });
    }
    if (schemaCreated) await createSchema(client, run.schema);
    const pending = pendingOf(run.set, history);
    const isOutside = (name: string): boolean => run.set.outside?.has(name) === true;
    const [first] = pending;
    if (first !== undefined && isOutside(first)) {
      progress.migration = () => first;
      progress.advice = PARTLY_DONE;
      const applied = await outsideTransaction(run, client, first, (alone) =>
        alone.executePendingMigrations(),
      );
      return { schemaCreated, applied, isLast: pending.length === 1 };
    }
    const next = pending.findIndex(isOutside);
    const part = next === -1 ? pending : pending.slice(0, next);
    if (isContinued) progress.advice = STANDS_BEFORE;
    progress.migration = () => part[executor.applied.length];
    executor.only = new Set(part);
    if (part.length > 0) await executor.executePendingMigrations();
    return { schemaCreated, applied: executor.applied, isLast: next === -1 };
  });
}

/** Reverts the last applied migration and returns its name; null if none is applied. */
export function revertLast(run: MigrationRun): Promise<string | null> {
  return underLock(run, async ({ client, history, executor, progress }) => {
    // Migrations of a newer version may depend on the one to revert.
    assertNotAhead(run.schema, history);
    const last = appliedOf(run.set, history).at(-1);
    if (last === undefined) return null;
    progress.migration = () => last;
    if (run.set.outside?.has(last) === true) {
      progress.advice = PARTLY_DONE;
      await outsideTransaction(run, client, last, (alone) => alone.undoLastMigration());
    } else {
      await executor.undoLastMigration();
    }
    return last;
  });
}

async function underLock<T>(run: MigrationRun, work: (locked: Locked) => Promise<T>): Promise<T> {
  const began = performance.now();
  const progress: Progress = {};
  try {
    return await inMigrationTransaction(run, async (manager, client) => {
      delete progress.migration;
      delete progress.advice;
      const history = await readHistory(run, client);
      assertUsable(run.schema, history);
      const executor = new ObservedMigrationExecutor(run.dataSource, manager.queryRunner);
      return work({ client, history, executor, progress });
    });
  } catch (error) {
    throw await explainFailure(error, {
      ...run,
      began,
      migration: progress.migration?.(),
      advice: progress.advice,
    });
  }
}

async function readHistory(run: MigrationRun, client: pg.ClientBase): Promise<SchemaHistory> {
  const tables = [cloacinaMigrationSet.table, run.set.table];
  const [history] = await readHistories(client, [{ schema: run.schema, tables }]);
  return history ?? { schemaExists: false, applied: new Map() };
}

/**
 * Creates the schema. IF NOT EXISTS is not used, because it requires the right to create schemas even if the schema exists.
 * The lock excludes other processes of the library. If another session creates the schema at the same time, the transaction is
 * run again.
 */
export async function createSchema(client: pg.ClientBase, schema: string): Promise<void> {
  if (schema === 'public') {
    throw new MigrationError({
      schema,
      advice: 'The database has no schema "public". Create it, or give the tenant another schema.',
    });
  }
  try {
    await client.query(`CREATE SCHEMA ${pg.escapeIdentifier(schema)}`);
  } catch (error) {
    const code = sqlState(error);
    if (code === SqlState.duplicateSchema || code === SqlState.uniqueViolation) {
      throw new SchemaChangedMeanwhile('The schema was created by another session.', {
        cause: error,
      });
    }
    throw error;
  }
}
