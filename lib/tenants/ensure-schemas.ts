import type pg from 'pg';
import type { CloacinaMigrator, EnsureResult } from './cloacina-migrator.js';
import { readHistories, type SchemaHistory } from './migration-history.js';

/** How one tenant's migration went. */
export type EnsureOutcome =
  | {
      readonly migrator: CloacinaMigrator;
      readonly result: EnsureResult;
      readonly error?: undefined;
    }
  | { readonly migrator: CloacinaMigrator; readonly result?: undefined; readonly error: unknown };

/**
 * Brings the schemas of many tenants on one pool up to date, and never fails as a whole: each tenant has its outcome,
 * in the order of `migrators`. A boot at which nothing is pending takes a few statements, not a few for each tenant.
 */
export async function ensureSchemas(
  pool: pg.Pool,
  migrators: readonly CloacinaMigrator[],
  concurrency = 4,
): Promise<EnsureOutcome[]> {
  const histories = await readTogether(pool, migrators);
  const outcomes: EnsureOutcome[] = [];
  const queue = migrators.entries();
  const worker = async (): Promise<void> => {
    for (const [index, migrator] of queue) {
      outcomes[index] = await ensureOne(migrator, histories?.[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));
  return outcomes;
}

/** Undefined when it fails, for instance because one schema may not be read: then each tenant finds out by itself. */
async function readTogether(
  pool: pg.Pool,
  migrators: readonly CloacinaMigrator[],
): Promise<SchemaHistory[] | undefined> {
  try {
    return await readHistories(
      pool,
      migrators.map((migrator) => migrator.historyRequest()),
    );
  } catch {
    return undefined;
  }
}

async function ensureOne(
  migrator: CloacinaMigrator,
  history: SchemaHistory | undefined,
): Promise<EnsureOutcome> {
  try {
    const result = await (history === undefined ? migrator.ensure() : migrator.ensureFrom(history));
    return { migrator, result };
  } catch (error) {
    return { migrator, error };
  }
}
