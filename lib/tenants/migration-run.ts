import pg from 'pg';
import type { DataSource } from 'typeorm';
import { MigrationError } from '../errors/index.js';
import { sqlState, SqlState } from '../store/sql-state.js';
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
  readonly progress: { migration?: () => string | undefined };
}

/**
 * Creates the schema if there is none, and applies what is pending, all in one transaction. What is pending is found
 * out again under the lock: another process may have been first.
 */
export function applyPending(run: MigrationRun): Promise<MigrationRunResult> {
  return underLock(run, async ({ client, history, executor, progress }) => {
    const schemaCreated = !history.schemaExists;
    if (schemaCreated && run.mayCreate === false) {
      const advice = 'The schema is not there any more. Add the tenant again to have it created.';
      throw new MigrationError({ schema: run.schema, advice });
    }
    if (schemaCreated) await createSchema(client, run.schema);
    const pending = pendingOf(run.set, history);
    progress.migration = () => pending[executor.applied.length];
    if (pending.length > 0) await executor.executePendingMigrations();
    return { schemaCreated, applied: executor.applied };
  });
}

/** Reverts the migration that was applied last; null when none is. */
export function revertLast(run: MigrationRun): Promise<string | null> {
  return underLock(run, async ({ history, executor, progress }) => {
    // What a newer version has added may stand on what would be reverted.
    assertNotAhead(run.schema, history);
    const last = appliedOf(run.set, history).at(-1);
    if (last === undefined) return null;
    progress.migration = () => last;
    await executor.undoLastMigration();
    return last;
  });
}

async function underLock<T>(run: MigrationRun, work: (locked: Locked) => Promise<T>): Promise<T> {
  const began = performance.now();
  const progress: { migration?: () => string | undefined } = {};
  try {
    return await inMigrationTransaction(run, async (manager, client) => {
      delete progress.migration;
      const history = await readHistory(run, client);
      assertUsable(run.schema, history);
      const executor = new ObservedMigrationExecutor(run.dataSource, manager.queryRunner);
      return work({ client, history, executor, progress });
    });
  } catch (error) {
    throw await explainFailure(error, { ...run, began, migration: progress.migration?.() });
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
      throw new SchemaChangedMeanwhile('The schema was created meanwhile.', { cause: error });
    }
    throw error;
  }
}
