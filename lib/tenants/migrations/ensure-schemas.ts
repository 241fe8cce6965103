import type pg from 'pg';
import { DatabaseUnavailableError } from '../../errors/index.js';
import { placeOf } from '../../store/postgres/connections/connection-config.js';
import { asConnectionError } from '../../store/postgres/connections/connection-obstacle.js';
import type { CloacinaMigrator, MigrationResult } from './cloacina-migrator.js';
import { readReadableHistories, type SchemaHistory } from './migration-history.js';

/** The result of one tenant's migration. */
export type EnsureOutcome =
  | {
      readonly migrator: CloacinaMigrator;
      readonly result: MigrationResult;
      readonly error?: undefined;
    }
  | { readonly migrator: CloacinaMigrator; readonly result?: undefined; readonly error: unknown };

export interface EnsureSchemasOptions {
  /** Maximum number of schemas to migrate at once on each server. Default {@link MIGRATIONS_AT_ONCE}. */
  readonly concurrency?: number;
  /** Whether tenants are being opened, so that their option `migrate` decides what is applied. Default: false. */
  readonly atBoot?: boolean;
  /** Called with the outcome of each tenant as soon as its migration has ended. Must not throw. */
  readonly onOutcome?: (outcome: EnsureOutcome) => void;
}

/** Schemas to migrate at once: the connections that a pool of the default size has besides those for hot statements. */
export const MIGRATIONS_AT_ONCE = 4;

/**
 * Migrates the schemas of many tenants, on any number of pools. Servers are migrated at the same time, because none of them
 * slows another down. It never fails as a whole: each tenant has its outcome, in the order of `migrators`. If nothing is pending, it takes a few statements per pool instead of a few per tenant.
 */
export async function ensureSchemas(
  migrators: readonly CloacinaMigrator[],
  { concurrency = MIGRATIONS_AT_ONCE, atBoot = false, onOutcome }: EnsureSchemasOptions = {},
): Promise<EnsureOutcome[]> {
  const known = await readAll(migrators);
  const outcomes: EnsureOutcome[] = [];
  const worker = async (queue: Iterable<readonly [number, CloacinaMigrator]>): Promise<void> => {
    for (const [index, migrator] of queue) {
      const outcome = await ensureOne(migrator, known.get(migrator), atBoot);
      outcomes[index] = outcome;
      onOutcome?.(outcome);
    }
  };
  await Promise.all(
    byServer(migrators).flatMap((ofServer) => {
      const queue = ofServer.values();
      return Array.from({ length: Math.min(concurrency, ofServer.length) }, () => worker(queue));
    }),
  );
  return outcomes;
}

/** The migrators of each server, with their places in the list. */
function byServer(
  migrators: readonly CloacinaMigrator[],
): (readonly [number, CloacinaMigrator])[][] {
  const servers = new Map<string, (readonly [number, CloacinaMigrator])[]>();
  for (const entry of migrators.entries()) {
    const { host, port } = placeOf(entry[1].pool.options);
    const key = `${host.toLowerCase()}:${port}`;
    const ofServer = servers.get(key);
    if (ofServer === undefined) servers.set(key, [entry]);
    else ofServer.push(entry);
  }
  return [...servers.values()];
}

/**
 * A tenant's history, or the failure of its pool. Undefined if only this history could not be read: ensure() reads it
 * again.
 */
type Known = SchemaHistory | UnreadPool | undefined;

/** No history of a pool could be read, because its database is unreachable or refuses the connection. */
class UnreadPool {
  constructor(
    private readonly failure: unknown,
    private readonly waitedMs: number,
  ) {}

  errorOf({ pool, tenant }: CloacinaMigrator): Error {
    const place = placeOf(pool.options);
    const { failure: cause, waitedMs } = this;
    return (
      asConnectionError(cause, place, tenant) ??
      new DatabaseUnavailableError({ tenant, waitedMs, place }, { cause })
    );
  }
}

async function readAll(
  migrators: readonly CloacinaMigrator[],
): Promise<ReadonlyMap<CloacinaMigrator, Known>> {
  const byPool = new Map<pg.Pool, CloacinaMigrator[]>();
  for (const migrator of migrators) {
    const ofPool = byPool.get(migrator.pool);
    if (ofPool === undefined) byPool.set(migrator.pool, [migrator]);
    else ofPool.push(migrator);
  }
  const known = new Map<CloacinaMigrator, Known>();
  await Promise.all(
    [...byPool].map(async ([pool, ofPool]) => {
      const read = await readTogether(pool, ofPool);
      for (const [index, migrator] of ofPool.entries()) {
        known.set(migrator, Array.isArray(read) ? read[index] : read);
      }
    }),
  );
  return known;
}

/**
 * Reads the histories on a pool. If the database is unreachable, all tenants on the pool share one failure and one
 * wait.
 */
async function readTogether(
  pool: pg.Pool,
  migrators: readonly CloacinaMigrator[],
): Promise<(SchemaHistory | undefined)[] | UnreadPool> {
  const began = performance.now();
  try {
    const requests = migrators.map((migrator) => migrator.historyRequest());
    return await readReadableHistories(pool, requests);
  } catch (error) {
    return new UnreadPool(error, Math.round(performance.now() - began));
  }
}

async function ensureOne(
  migrator: CloacinaMigrator,
  known: Known,
  atBoot: boolean,
): Promise<EnsureOutcome> {
  if (known instanceof UnreadPool) return { migrator, error: known.errorOf(migrator) };
  try {
    if (atBoot && !migrator.mayMigrateAtBoot) {
      await migrator.check(known);
      return { migrator, result: { schemaCreated: false, applied: [] } };
    }
    const result = await (known === undefined ? migrator.ensure() : migrator.ensureFrom(known));
    return { migrator, result };
  } catch (error) {
    return { migrator, error };
  }
}
