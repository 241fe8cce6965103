import { Logger } from '@nestjs/common';
import { messageWithoutSecrets, InvalidArgumentError, isError } from '../../errors/index.js';
import type { CloacinaMigrator } from './cloacina-migrator.js';
import { ensureSchemas, MIGRATIONS_AT_ONCE } from './ensure-schemas.js';

/** Options of {@link CloacinaTenants.migrateAll}. */
export interface MigrateAllOptions {
  /**
   * Maximum number of schemas to migrate at once on each server. Default: 4. More than the pool's spare connections have no
   * effect.
   */
  readonly concurrency?: number;
  /**
   * Called after each tenant with the number of finished tenants. Its errors are logged and do not stop the migration.
   */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The result of one tenant's migration. */
export interface TenantMigration {
  /** The name of the tenant. */
  readonly tenant: string;
  /** The name of its server. Absent without the option `servers` of forRoot. */
  readonly server?: string;
  /** The migrations that were applied, the library's first. Empty if the schema was up to date. */
  readonly applied: string[];
  /** The failure, if there was one. The schema is then as it was before the failed migration. */
  readonly error?: Error;
}

/**
 * Migrates the schemas of many tenants and reports on each, in the given order. A tenant that fails does not stop the
 * others. Each tenant is committed separately, so after a failure or the death of the process a second call continues with
 * the rest.
 *
 * @throws InvalidArgumentError if `concurrency` is not a whole number of at least 1
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
      // Typed to return nothing, but an async function is assignable too.
      const returned: unknown = onProgress(++done, total);
      if (returned instanceof Promise) returned.catch(complain);
    } catch (error) {
      complain(error);
    }
  };
}
