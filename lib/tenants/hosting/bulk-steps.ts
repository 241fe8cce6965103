import { Logger } from '@nestjs/common';
import type pg from 'pg';
import { messageWithoutSecrets } from '../../errors/index.js';
import { MicroBatcher, type PendingItem } from '../../runtime/micro-batcher.js';
import type { KnownDefinitions } from '../../store/port/index.js';
import type { CloacinaMigrator, MigrationResult } from '../migrations/cloacina-migrator.js';
import { ensureSchemas } from '../migrations/ensure-schemas.js';
import { readTenantStates } from '../moving/move-state.js';
import type { ConnectionGroup } from './connection-group.js';
import { knownDefinitions } from './known-definitions.js';
import { keepName, unkeptNames, type MarkedSchema } from './tenant-marker.js';
import type { TenantRuntime } from './tenant-runtime.js';

/** Steps that are run for many tenants of a login at once. */
export interface BulkSteps {
  readonly migrations: MicroBatcher<CloacinaMigrator, MigrationResult>;
  /** Resolves to whether the name had to be stored. */
  readonly names: MicroBatcher<MarkedSchema, boolean>;
  readonly definitions: MicroBatcher<TenantRuntime, KnownDefinitions | undefined>;
  readonly begins: MicroBatcher<TenantRuntime, void>;
  /** Whether the log says that the database cannot be reached. */
  warnedAway: boolean;
}

export function createBulkSteps(group: ConnectionGroup): BulkSteps {
  const { process: clock } = group.clocks;
  return {
    // Concurrent, because a migration may take long and later requests must not wait for it.
    migrations: new MicroBatcher({ clock, oneAtATime: false }, migrateTogether),
    names: new MicroBatcher({ clock, oneAtATime: true }, (batch) =>
      keepNames(group.pools.general, batch),
    ),
    definitions: new MicroBatcher({ clock, oneAtATime: true }, async (batch) => {
      const known = await knownDefinitions(
        group.pools,
        batch.map(({ item }) => item),
      );
      for (const { item, resolve } of batch) resolve(known.get(item));
    }),
    begins: new MicroBatcher({ clock, oneAtATime: true }, async (batch) => {
      await begin(
        group,
        batch.map(({ item }) => item),
      );
      for (const { resolve } of batch) resolve();
    }),
    warnedAway: false,
  };
}

/**
 * Stores tenants' names with their schemas, for processes that discover the tenants. If the login may not store one, they
 * use the schema as the name.
 */
async function keepNames(
  pool: pg.Pool,
  batch: readonly PendingItem<MarkedSchema, boolean>[],
): Promise<void> {
  const unkept = new Set(
    await unkeptNames(
      pool,
      batch.map(({ item }) => item),
    ),
  );
  for (const { item, resolve } of batch) {
    if (!unkept.has(item)) {
      resolve(false);
      continue;
    }
    try {
      await keepName(pool, item);
      resolve(true);
    } catch (error) {
      new Logger('CloacinaTenants').warn(
        `Tenant "${item.tenant}": its name could not be stored with schema "${item.schema}", so processes that discover ` +
          `the tenant use the schema as its name: ${messageWithoutSecrets(error)}`,
      );
      resolve(false);
    }
  }
}

/** Migrates the tenants of a batch, and settles each as soon as its own migration has ended. */
async function migrateTogether(
  batch: readonly PendingItem<CloacinaMigrator, MigrationResult>[],
): Promise<void> {
  const byMigrator = new Map(batch.map((pending) => [pending.item, pending]));
  await ensureSchemas([...byMigrator.keys()], {
    atBoot: true,
    onOutcome: ({ migrator, result, error }) => {
      const pending = byMigrator.get(migrator);
      if (result === undefined) pending?.reject(error);
      else pending?.resolve(result);
    },
  });
}

/**
 * Up to this number, tenants claim without asking first whether they have work, because asking takes as long as
 * claiming.
 */
const FEW_TENANTS = 4;

/**
 * Lets tenants claim. Before that, one pass for all of them recovers the tasks of lost processes, except in schemas that
 * were just created.
 */
async function begin(group: ConnectionGroup, tenants: readonly TenantRuntime[]): Promise<void> {
  const here = tenants.filter(({ isDraining }) => !isDraining);
  group.process.expect(here.map(({ engine }) => engine));
  await stopThoseThatMove(group, here);
  const names = here.filter(({ isNew }) => !isNew).map(({ tenant }) => tenant.name);
  if (names.length > 0) await group.recovery.runOnce('boot', names);
  const engines = here.filter(({ isDraining }) => !isDraining).map(({ engine }) => engine);
  group.process.add(engines);
  group.startClaiming();
  if (engines.length <= FEW_TENANTS) for (const engine of engines) engine.claimAvailable();
}

/** A process that boots while a tenant stops must not claim. Later moves are announced. */
async function stopThoseThatMove(
  group: ConnectionGroup,
  tenants: readonly TenantRuntime[],
): Promise<void> {
  if (group.storage?.isDatabase === false || tenants.length === 0) return;
  const schemas = tenants.map(({ tenant }) => tenant.schema);
  const rows = await readTenantStates(group.pools.general, schemas);
  for (const [i, { moves }] of tenants.entries()) {
    const row = rows[i];
    if (row !== undefined) moves?.saw(row);
  }
}
