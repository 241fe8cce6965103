import type { DataSource } from 'typeorm';
import type { ApplicationHooks } from './application-hooks.js';
import type { WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { TenantMovingError, type DatabasePlace } from '../../errors/index.js';
import {
  createTenantDataSource,
  moveDataSource,
} from '../../store/postgres/typeorm/data-source.js';
import { TenantRole } from '../../store/postgres/connections/user-connection.js';
import { isTenantNow } from '../../store/postgres/connections/search-path.js';
import {
  askServerFacts,
  initializeOnPool,
  initializeWithoutServer,
} from '../../store/postgres/connections/server-facts.js';
import { untraced } from '../../runtime/untraced.js';
import type { CompiledWorkflow } from '../../workflow/index.js';
import { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import { waitForDatabase } from './wait-for-database.js';
import type { RuntimeMoves } from './runtime-moves.js';
import { withoutDatabase } from './unavailable-tenant.js';
import { ensureIsolationRole } from '../migrations/isolation-role.js';
import { createBulkSteps, type BulkSteps } from './bulk-steps.js';
import type { ConnectionGroup } from './connection-group.js';
import { isUnreachable, TenantArrival } from './tenant-arrival.js';
import { TenantRuntime } from './tenant-runtime.js';
import type { ResolvedTenantOptions } from '../../options/index.js';

/** Pause between two attempts to activate a tenant that moves to another server, in milliseconds. */
const MOVE_LOOK_MS = 250;

export interface BootstrapperParts {
  readonly registry: WorkflowRegistry;
  readonly hooks: ApplicationHooks;
  /** Whether the process lets its tenants claim. */
  readonly isClaiming: () => boolean;
  /** Aborted when the shutdown begins, or when the boot fails. */
  readonly stopping: AbortSignal;
  readonly moves: Pick<RuntimeMoves, 'locate' | 'relocate' | 'followerOf'>;
}

/** How a tenant is opened. */
export interface PrepareOptions {
  /** How long to wait for a database that cannot be reached, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the tenant's data source has the library's tables as entities. */
  readonly libraryEntities: boolean;
  /** Whether discovery found the tenant. If its schema is dropped before it is opened, it is not created again. */
  readonly isDiscovered: boolean;
  /** Whether a tenant whose server cannot be reached is prepared without it. Only of tenants that say so. */
  readonly isBoot?: boolean;
}

/** A tenant was to be opened on a server on which it does not live. Nothing was changed there. */
export class LivesElsewhere extends Error {
  /** @param options - the tenant's options on its server */
  constructor(readonly options: ResolvedTenantOptions) {
    super('The tenant lives on another server.');
  }
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
    { timeoutMs, libraryEntities, isDiscovered, isBoot = false }: PrepareOptions,
  ): Promise<TenantRuntime> {
    const { tenant, schema } = options;
    if (group.storage?.isDatabase === false) return this.withoutDatabase(options, group);
    // A move to another server changes it.
    let at = group;
    const role = options.isolation === 'role' ? new TenantRole() : undefined;
    const dataSource = createDataSource(options, group, libraryEntities, role);
    let runtime: TenantRuntime | undefined;
    const migrator = new CloacinaMigrator({
      tenant,
      schema,
      get pool() {
        return at.pools.general;
      },
      dataSource,
      initialize: () => initializeOnPool(at.pools.general, dataSource),
      mayCreate: !isDiscovered,
      mayMigrateAtBoot: options.migrate,
      isServed: () => runtime?.isDraining === false,
    });
    let isNew = false;
    let isNamed = false;
    const reach = async (): Promise<void> => {
      // Before the schema is created: the tenant may live on another server.
      if (runtime !== undefined) await this.parts.moves.relocate(runtime);
      else if (!isDiscovered) {
        const lives = await this.parts.moves.locate(options);
        if (lives.server !== options.server) throw new LivesElsewhere(lives);
      }
      const { general: pool, statements } = at.pools;
      const bulk = this.bulkStepsOf(at);
      // Connects the general pool and a hot-statement connection at the same time. The latter is only needed later.
      void askServerFacts(pool, statements[0]).catch(() => undefined);
      isNew = (await bulk.migrations.add(migrator)).schemaCreated || isNew;
      isTenantNow(pool, schema);
      if (tenant !== schema) isNamed = await bulk.names.add({ schema, tenant });
      if (!dataSource.isInitialized || runtime !== undefined)
        await initializeOnPool(pool, dataSource);
      role?.take(await ensureIsolationRole({ pool, tenant, schema }));
    };
    let arrival: TenantArrival | undefined;
    try {
      await this.waitingForDatabase(options, group, timeoutMs, reach);
    } catch (error) {
      // The data source of an isolated tenant has the login's rights until the role is known, so it is given to no one before.
      const mayBeAway = options.mayBeAway === true && role === undefined;
      if (isBoot && mayBeAway && isUnreachable(error)) {
        arrival = this.arrivalOf(options, group, error, async (left) => {
          await this.waitingForDatabase({ tenant, left }, group, Infinity, reach);
          if (isNew || isNamed) group.process.notifyTenants();
        });
        const { database } = group.place;
        if (!dataSource.isInitialized) {
          await initializeWithoutServer(dataSource, { database, schema });
        }
      } else {
        if (dataSource.isInitialized) await dataSource.destroy();
        throw error;
      }
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
      ...(arrival === undefined ? {} : { arrival }),
      follower: (own) => this.parts.moves.followerOf(own),
      moveTo: async (to) => {
        const { searchPath } = options;
        const { general: pool } = to.pools;
        const name = role && (await ensureIsolationRole({ pool, tenant, schema }));
        await moveDataSource(dataSource, { pool, schema, role, searchPath });
        if (name !== undefined) role?.take(name);
        isTenantNow(pool, schema);
        at = to;
      },
    });
    if (isNew || isNamed) group.process.notifyTenants();
    return runtime;
  }

  private arrivalOf(
    { tenant, startTimeoutMs: timeoutMs }: ResolvedTenantOptions,
    { clocks, place }: ConnectionGroup,
    failure: unknown,
    reach: (left: AbortSignal) => Promise<void>,
  ): TenantArrival {
    return new TenantArrival({ clock: clocks.process, tenant, place, timeoutMs, failure, reach });
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
    const { process: clock } = runtime.group.clocks;
    const began = clock.now();
    for (;;) {
      try {
        await this.activateOnce(runtime, timeoutMs);
        runtime.activated();
        return;
      } catch (error) {
        const isOver = runtime.left.aborted || clock.now() - began > timeoutMs;
        if (!(error instanceof TenantMovingError) || isOver) throw error;
        // The definitions are stored where the move ends.
        void runtime.moves?.look();
        await clock.sleep(MOVE_LOOK_MS, runtime.left);
      }
    }
  }

  private async activateOnce(runtime: TenantRuntime, timeoutMs: number): Promise<void> {
    const { engine, group, left } = runtime;
    const { tenant } = runtime.options;
    const bulk = this.bulkStepsOf(group);
    const whose = { tenant, left };
    await this.start(group, timeoutMs, whose);
    await this.waitingForDatabase(whose, group, timeoutMs, async () => {
      // Without a database, the engine reads the definitions of its own tenant.
      const readsAlone = engine.catalog.isOpen || group.storage?.isDatabase === false;
      await engine.open(readsAlone ? undefined : await bulk.definitions.add(runtime));
    });
    await this.waitingForDatabase(whose, group, timeoutMs, () => bulk.begins.add(runtime));
  }

  /** Opens the control connection, which may have a server address of its own. */
  start(
    group: ConnectionGroup,
    timeoutMs: number,
    whose: { readonly tenant?: string; readonly left?: AbortSignal } = {},
  ): Promise<void> {
    return this.waitingForDatabase({ ...whose, place: group.controlPlace }, group, timeoutMs, () =>
      group.start(),
    );
  }

  /** Runs `work`, and repeats it while the database of the login cannot be reached. */
  whileAway(group: ConnectionGroup, timeoutMs: number, work: () => Promise<void>): Promise<void> {
    return this.waitingForDatabase({}, group, timeoutMs, work);
  }

  private waitingForDatabase(
    {
      tenant,
      place,
      left,
    }: {
      readonly tenant?: string;
      readonly place?: DatabasePlace;
      /** Ends the wait too. */
      readonly left?: AbortSignal;
    },
    group: ConnectionGroup,
    timeoutMs: number,
    work: () => Promise<void>,
  ): Promise<void> {
    const bulk = this.bulkStepsOf(group);
    const { stopping } = this.parts;
    return waitForDatabase(
      {
        clock: group.clocks.process,
        ...(tenant === undefined ? {} : { tenant }),
        place: place ?? group.place,
        timeoutMs,
        signal: left === undefined ? stopping : AbortSignal.any([stopping, left]),
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
    let steps = this.bulkSteps.get(group);
    if (steps === undefined) {
      steps = createBulkSteps(group);
      this.bulkSteps.set(group, steps);
    }
    return steps;
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
