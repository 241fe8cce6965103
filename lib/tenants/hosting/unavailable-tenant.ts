import { throwError } from 'rxjs';
import { DataSource, EntityManager, TreeRepository } from 'typeorm';
import { NotAllowedError } from '../../errors/index.js';
import { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../../runner/cloacina-runner.js';
import { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import { failingProvider } from './failing-provider.js';

/** The injectable parts of a tenant. */
export interface ProvidedParts {
  readonly runner: object;
  readonly migrator: object;
  readonly recovery: object;
  readonly dataSource: object;
  readonly manager: object;
}

/** Stand-ins for the parts of a tenant that need a database, for a tenant in memory. */
export function withoutDatabase(tenant: string): {
  readonly dataSource: DataSource;
  readonly migrator: CloacinaMigrator;
} {
  const { dataSource, migrator } = unavailableTenant(
    () =>
      new NotAllowedError(
        `Use of the database of tenant "${tenant}"`,
        'the tenant is in memory',
        "Replace the provider that uses it, or run the test with store: 'postgres'.",
      ),
  );
  return { dataSource: dataSource as DataSource, migrator: migrator as CloacinaMigrator };
}

/**
 * Stand-ins for the injectable parts of a tenant. With them Nest continues the boot, so that all problems are reported at
 * once. Constructors of providers may get repositories and managers from them, but not use these.
 *
 * @param reason - creates the error that a call throws
 */
export function unavailableTenant(
  reason: () => Error,
): ProvidedParts & { readonly repository: object } {
  const manager = failingProvider(EntityManager, reason);
  const repository = failingProvider(TreeRepository, reason, { manager });
  const getRepository = (): object => repository;
  const repositories = { getRepository, getTreeRepository: getRepository };
  const dataSource = failingProvider(DataSource, reason, {
    ...repositories,
    manager,
    // The properties that @nestjs/typeorm reads before it gets a repository.
    options: { type: 'postgres' },
    entityMetadatas: [],
    isInitialized: false,
  });
  for (const [name, value] of Object.entries({
    ...repositories,
    connection: dataSource,
    dataSource,
  })) {
    Object.defineProperty(manager, name, { value });
  }
  return {
    runner: failingProvider(CloacinaRunner, reason, { events$: throwError(reason) }),
    migrator: failingProvider(CloacinaMigrator, reason),
    recovery: failingProvider(CloacinaRecovery, reason),
    dataSource,
    manager,
    repository,
  };
}
