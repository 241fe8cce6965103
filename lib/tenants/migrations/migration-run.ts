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

/** Migrations to run on a schema, and what to run them with. */
export interface MigrationRun {
  readonly pool: pg.Pool;
  /** Has the migrations and the name of their history table. */
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

/** What is known under the lock. */
interface Locked {
  readonly client: pg.ClientBase;
  readonly history: SchemaHistory;
  readonly executor: ObservedMigrationExecutor;
  /** Where the work says at which migration it is, for the error if it fails. */
  readonly progress: Progress;
}

interface Progress {
  migration?: () => string | undefined;
  /** What to do when it fails, where the schema is not as it was before. */
  advice?: string;
}

const STANDS_BEFORE =
  'It is rolled back; what came before it is applied. Put the cause right and boot again.';

/**
 * Creates the schema if there is none, and applies what is pending: all in one transaction, but for migrations that
 * say `transaction = false`. Those are applied between transactions, one by one, each under the lock too. What is
 * pending is found out again under each lock: another process may have been first.
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

/** What is pending up to the next migration that wants no transaction; or that one, when it is the first. */
function applyPart(
  run: MigrationRun,
  isContinued: boolean,
): Promise<MigrationRunResult & { readonly isLast: boolean }> {
  return underLock(run, async (locked) => {
    const { client, history, executor, progress } = locked;
    const schemaCreated = !history.schemaExists;
    if (schemaCreated && run.mayCreate === false) {
      const advice = 'The schema is not there any more. Add the tenant again to have it created.';
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

/** Reverts the migration that was applied last; null when none is. */
export function revertLast(run: MigrationRun): Promise<string | null> {
  return underLock(run, async ({ client, history, executor, progress }) => {
    // What a newer version has added may stand on what would be reverted.
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
 * Not with IF NOT EXISTS: that asks for the right to create schemas even where there is nothing to create. The lock
 * keeps the library's own processes apart; who creates the schema by hand at this instant has us look again.
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
