import { throwError } from 'rxjs';
import { DataSource, EntityManager, TreeRepository } from 'typeorm';
import { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../../runner/cloacina-runner.js';
import { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import { failingProvider } from './failing-provider.js';

/** The parts of a tenant that are provided. */
export interface ProvidedParts {
  readonly runner: object;
  readonly migrator: object;
  readonly recovery: object;
  readonly dataSource: object;
  readonly manager: object;
}

/**
 * Stand-ins for all that is provided of a tenant, so that Nest goes on with the boot and everything that is wrong is
 * reported at once. Repositories and managers can be asked for, as constructors of providers do; not used.
 *
 * @param reason - makes the error of a call
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
    // What @nestjs/typeorm looks at before it asks for a repository.
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
