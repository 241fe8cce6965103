import { Logger } from '@nestjs/common';
import { messageWithoutSecrets, InvalidArgumentError, isError } from '../../errors/index.js';
import type { CloacinaMigrator } from './cloacina-migrator.js';
import { ensureSchemas, MIGRATIONS_AT_ONCE } from './ensure-schemas.js';

export interface MigrateAllOptions {
  /** Schemas that are migrated at once, 4 unless told. More than the pool has connections to spare gain nothing. */
  readonly concurrency?: number;
  /** Told after each tenant how many are through. What it throws is logged, and stops nothing. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How the migration of one tenant went. */
export interface TenantMigration {
  readonly tenant: string;
  /** The migrations that were applied, the library's first; none when the schema was up to date. */
  readonly applied: string[];
  /** Why it failed; its schema is as it was before the migration that failed. */
  readonly error?: Error;
}

/**
 * Brings the schemas of many tenants up to date and reports on each, in the order given. A tenant that fails stops no
 * other one, and each is committed by itself; so after a failure, or a process that was killed in the middle, the same
 * call goes on with what is left.
 *
 * @throws InvalidArgumentError when `concurrency` is no whole number of at least 1
 */
export async function migrateFleet(
  migrators: readonly CloacinaMigrator[],
  { concurrency = MIGRATIONS_AT_ONCE, onProgress }: MigrateAllOptions = {},
): Promise<TenantMigration[]> {
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new InvalidArgumentError('concurrency', `must be a whole number of at least 1`);
  }
  const progress = progressOf(migrators.length, onProgress);
  const outcomes = await ensureSchemas(migrators, { concurrency, onOutcome: progress });
  return outcomes.map(({ migrator: { tenant }, result, error }) =>
    result === undefined
      ? {
          tenant,
          applied: [],
          error: isError(error) ? error : new Error(messageWithoutSecrets(error)),
        }
      : { tenant, applied: result.applied },
  );
}

function progressOf(
  total: number,
  onProgress: MigrateAllOptions['onProgress'],
): (() => void) | undefined {
  if (onProgress === undefined) return undefined;
  let done = 0;
  const complain = (error: unknown): void => {
    new Logger('CloacinaTenants').warn(`onProgress failed: ${messageWithoutSecrets(error)}`);
  };
  return () => {
    try {
      // It is typed to return nothing, and may be an async function all the same.
      const returned: unknown = onProgress(++done, total);
      if (returned instanceof Promise) returned.catch(complain);
    } catch (error) {
      complain(error);
    }
  };
}
