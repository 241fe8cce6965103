import { Logger } from '@nestjs/common';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import type { ApplicationHooks } from './application-hooks.js';
import type { WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { messageWithoutSecrets, type DatabasePlace } from '../../errors/index.js';
import { createTenantDataSource } from '../../store/postgres/typeorm/data-source.js';
import { TenantRole } from '../../store/postgres/connections/user-connection.js';
import { isTenantNow } from '../../store/postgres/connections/search-path.js';
import { askServerFacts, initializeOnPool } from '../../store/postgres/connections/server-facts.js';
import { untraced } from '../../runtime/untraced.js';
import type { CompiledWorkflow } from '../../workflow/index.js';
import { CloacinaMigrator, type MigrationResult } from '../migrations/cloacina-migrator.js';
import { waitForDatabase } from './wait-for-database.js';
import { withoutDatabase } from './unavailable-tenant.js';
import { ensureSchemas } from '../migrations/ensure-schemas.js';
import { MicroBatcher, type PendingItem } from '../../runtime/micro-batcher.js';
import { ensureIsolationRole } from '../migrations/isolation-role.js';
import { knownDefinitions } from './known-definitions.js';
import type { ConnectionGroup } from './connection-group.js';
import { TenantRuntime } from './tenant-runtime.js';
import { keepName, unkeptNames, type MarkedSchema } from './tenant-marker.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import type { KnownDefinitions } from '../../store/port/index.js';

export interface BootstrapperParts {
  readonly registry: WorkflowRegistry;
  readonly hooks: ApplicationHooks;
  /** Whether the process lets its tenants claim. */
  readonly isClaiming: () => boolean;
  /** Aborted when the shutdown begins, or when the boot fails. */
  readonly stopping: AbortSignal;
}

/** How a tenant is opened. */
export interface PrepareOptions {
  /** How long to wait for a database that cannot be reached, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the tenant's data source has the library's tables as entities. */
  readonly libraryEntities: boolean;
  /** Whether discovery found the tenant. If its schema is dropped before it is opened, it is not created again. */
  readonly isDiscovered: boolean;
}

/** Steps that are run for many tenants of a login at once. */
interface BulkSteps {
  readonly migrations: MicroBatcher<CloacinaMigrator, MigrationResult>;
  /** Resolves to whether the name had to be stored. */
  readonly names: MicroBatcher<MarkedSchema, boolean>;
  readonly definitions: MicroBatcher<TenantRuntime, KnownDefinitions | undefined>;
  readonly begins: MicroBatcher<TenantRuntime, void>;
  /** Whether the log says that the database cannot be reached. */
  warnedAway: boolean;
}

/**
 * Opens tenants. Tenants that are opened at the same time share statements, so a thousand of them take a few statements if
 * there is nothing to create. A tenant that is broken, locked or slow to migrate does not delay the others.
 */
export class TenantBootstrapper {
  private readonly bulkSteps = new WeakMap<ConnectionGroup, BulkSteps>();
  private readonly restored = new Map<string, Promise<CompiledWorkflow>>();

  constructor(private readonly parts: BootstrapperParts) {}

  /** Creates and migrates the schema, and connects the data source. The tenant does not claim yet. */
  async prepare(
    options: ResolvedTenantOptions,
    group: ConnectionGroup,
    { timeoutMs, libraryEntities, isDiscovered }: PrepareOptions,
  ): Promise<TenantRuntime> {
    const { tenant, schema } = options;
    if (group.storage?.isDatabase === false) return this.withoutDatabase(options, group);
    const pool = group.pools.general;
    const role = options.isolation === 'role' ? new TenantRole() : undefined;
    const dataSource = createDataSource(options, group, libraryEntities, role);
    let runtime: TenantRuntime | undefined;
    const migrator = new CloacinaMigrator({
      tenant,
      schema,
      pool,
      dataSource,
      initialize: () => initializeOnPool(pool, dataSource),
      mayCreate: !isDiscovered,
      mayMigrateAtBoot: options.migrate,
      isServed: () => runtime?.isDraining === false,
    });
    const bulk = this.bulkStepsOf(group);
    let isNew = false;
    let isNamed = false;
    try {
      await this.waitingForDatabase(options, group, timeoutMs, async () => {
        // Connects the general pool and a hot-statement connection at the same time. The latter is only needed later.
        void askServerFacts(pool, group.pools.statements[0]).catch(() => undefined);
        isNew = (await bulk.migrations.add(migrator)).schemaCreated || isNew;
        isTenantNow(pool, schema);
        if (tenant !== schema) isNamed = await bulk.names.add({ schema, tenant });
        if (!dataSource.isInitialized) await initializeOnPool(pool, dataSource);
        role?.take(await ensureIsolationRole({ pool, tenant, schema }));
      });
    } catch (error) {
      if (dataSource.isInitialized) await dataSource.destroy();
      throw error;
    }
    const { registry, hooks } = this.parts;
    runtime = new TenantRuntime({
      options,
      group,
      dataSource,
      migrator,
      registry,
      hooks,
      restored: this.restored,
      isClaiming: this.parts.isClaiming,
      isNew,
      isDiscovered,
    });
    if (isNew || isNamed) group.process.notifyTenants();
    return runtime;
  }

  private withoutDatabase(options: ResolvedTenantOptions, group: ConnectionGroup): TenantRuntime {
    const { registry, hooks, isClaiming } = this.parts;
    return new TenantRuntime({
      ...withoutDatabase(options.tenant),
      options,
      group,
      registry,
      hooks,
      restored: this.restored,
      isClaiming,
      isNew: false,
      isDiscovered: false,
    });
  }

  /** Registers definitions, recovers tasks of lost processes, and lets the tenant claim. */
  async activate(runtime: TenantRuntime, timeoutMs: number): Promise<void> {
    const { engine, group, options } = runtime;
    const bulk = this.bulkStepsOf(group);
    await this.start(group, timeoutMs, options.tenant);
    await this.waitingForDatabase(options, group, timeoutMs, async () => {
      // Without a database, the engine reads the definitions of its own tenant.
      const readsAlone = engine.catalog.isOpen || group.storage?.isDatabase === false;
      await engine.open(readsAlone ? undefined : await bulk.definitions.add(runtime));
    });
    await this.waitingForDatabase(options, group, timeoutMs, () => bulk.begins.add(runtime));
  }

  /** Opens the control connection, which may have a server address of its own. */
  start(group: ConnectionGroup, timeoutMs: number, tenant?: string): Promise<void> {
    const whose = tenant === undefined ? {} : { tenant };
    return this.waitingForDatabase({ ...whose, place: group.controlPlace }, group, timeoutMs, () =>
      group.start(),
    );
  }

  /** Runs `work`, and repeats it while the database of the login cannot be reached. */
  whileAway(group: ConnectionGroup, timeoutMs: number, work: () => Promise<void>): Promise<void> {
    return this.waitingForDatabase({}, group, timeoutMs, work);
  }

  private waitingForDatabase(
    { tenant, place }: { readonly tenant?: string; readonly place?: DatabasePlace },
    group: ConnectionGroup,
    timeoutMs: number,
    work: () => Promise<void>,
  ): Promise<void> {
    const bulk = this.bulkStepsOf(group);
    return waitForDatabase(
      {
        clock: group.clocks.process,
        ...(tenant === undefined ? {} : { tenant }),
        place: place ?? group.place,
        timeoutMs,
        signal: this.parts.stopping,
        // One warning for all tenants of the login.
        mayWarn: () => !bulk.warnedAway && (bulk.warnedAway = true),
      },
      async () => {
        await untraced(work);
        bulk.warnedAway = false;
      },
    );
  }

  private bulkStepsOf(group: ConnectionGroup): BulkSteps {
    let together = this.bulkSteps.get(group);
    if (together === undefined) {
      const { process: clock } = group.clocks;
      together = {
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
      this.bulkSteps.set(group, together);
    }
    return together;
  }
}

function createDataSource(
  options: ResolvedTenantOptions,
  group: ConnectionGroup,
  libraryEntities: boolean,
  role: TenantRole | undefined,
): DataSource {
  const { schema, entities, migrations, searchPath, connection } = options;
  return createTenantDataSource({
    pool: group.pools.general,
    schema,
    libraryEntities,
    role,
    searchPath,
    entities,
    migrations,
    options: connection,
  });
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
  const names = here.filter(({ isNew }) => !isNew).map(({ tenant }) => tenant.name);
  if (names.length > 0) await group.recovery.runOnce('boot', names);
  const engines = here.filter(({ isDraining }) => !isDraining).map(({ engine }) => engine);
  group.process.add(engines);
  group.startClaiming();
  if (engines.length <= FEW_TENANTS) for (const engine of engines) engine.claimAvailable();
}
