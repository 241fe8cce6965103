import { Logger } from '@nestjs/common';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import type { WorkflowRegistry } from '../discovery/registered-workflow.js';
import { describeError } from '../errors/index.js';
import { createTenantDataSource } from '../store/data-source.js';
import { TenantRole } from '../store/user-connection.js';
import { isTenantNow } from '../store/search-path.js';
import { askServerFacts, initializeOnPool } from '../store/server-facts.js';
import type { KnownDefinitions } from '../store/store.js';
import type { CompiledWorkflow } from '../workflow/index.js';
import { CloacinaMigrator, type EnsureResult } from './cloacina-migrator.js';
import { whileDatabaseIsAway } from './database-patience.js';
import { ensureSchemas } from './ensure-schemas.js';
import { Gathering, type Gathered } from './gathering.js';
import { ensureIsolationRole } from './isolation-role.js';
import { knownDefinitions } from './known-definitions.js';
import type { LoginEngine } from './login-engine.js';
import { ServedTenant } from './served-tenant.js';
import { keepName, unkeptNames, type MarkedSchema } from './tenant-marker.js';
import type { HostedTenantOptions } from './tenant.js';

export interface OpenerParts {
  readonly registry: WorkflowRegistry;
  /** Aborts when the shutdown begins. */
  readonly stopping: AbortSignal;
}

/** How a tenant is opened. */
export interface OpenHow {
  /** How long to wait for a database that is away, in milliseconds. */
  readonly patienceMs: number;
  /** Whether its data source has the library's tables as entities. */
  readonly libraryEntities: boolean;
  /** It was found in the database: it is not created if it has gone since. */
  readonly isDiscovered: boolean;
}

/** What of a login's tenants is done for many at once. */
interface Together {
  readonly migrations: Gathering<CloacinaMigrator, EnsureResult>;
  /** Whether the name had to be kept. */
  readonly names: Gathering<MarkedSchema, boolean>;
  readonly definitions: Gathering<ServedTenant, KnownDefinitions | undefined>;
  readonly begins: Gathering<ServedTenant, void>;
  /** That the database is away was said. */
  saidAway: boolean;
}

/**
 * Opens tenants, however many: those that are opened at the same time are looked at together, so that a thousand of
 * them take a few statements where nothing is to be created. A tenant that is broken, locked or slow to migrate holds up
 * none of the others.
 */
export class TenantOpener {
  private readonly together = new WeakMap<LoginEngine, Together>();
  private readonly restored = new Map<string, Promise<CompiledWorkflow>>();

  constructor(private readonly parts: OpenerParts) {}

  /** Creates and migrates the schema and connects the data source; nothing is claimed yet. */
  async migrate(
    options: HostedTenantOptions,
    login: LoginEngine,
    { patienceMs, libraryEntities, isDiscovered }: OpenHow,
  ): Promise<ServedTenant> {
    const { tenant, schema } = options;
    const pool = login.pools.general;
    const role = options.isolation === 'role' ? new TenantRole() : undefined;
    const dataSource = createDataSource(options, login, libraryEntities, role);
    let served: ServedTenant | undefined;
    const migrator = new CloacinaMigrator({
      tenant,
      schema,
      pool,
      dataSource,
      initialize: () => initializeOnPool(pool, dataSource),
      mayCreate: !isDiscovered,
      mayMigrateAtBoot: options.migrate ?? true,
      isServed: () => served?.isDraining === false,
    });
    const together = this.togetherOn(login);
    let isNew = false;
    let isNamed = false;
    try {
      await this.patiently(options, login, patienceMs, async () => {
        // The connections are made at the same time. This one is for hot statements, and is not needed yet.
        void askServerFacts(pool, login.pools.statements[0]).catch(() => undefined);
        isNew = (await together.migrations.add(migrator)).schemaCreated || isNew;
        isTenantNow(pool, schema);
        if (tenant !== schema) isNamed = await together.names.add({ schema, tenant });
        if (!dataSource.isInitialized) await initializeOnPool(pool, dataSource);
        role?.take(await ensureIsolationRole({ pool, tenant, schema }));
      });
    } catch (error) {
      if (dataSource.isInitialized) await dataSource.destroy();
      throw error;
    }
    const { registry } = this.parts;
    served = new ServedTenant({
      options,
      login,
      dataSource,
      migrator,
      registry,
      restored: this.restored,
      isNew,
      isDiscovered,
    });
    if (isNew || isNamed) login.process.announceTenants();
    return served;
  }

  /** Registers definitions, recovers what dead predecessors left, and lets the tenant claim. */
  async serve(served: ServedTenant, patienceMs: number): Promise<void> {
    const { engine, login, options } = served;
    const together = this.togetherOn(login);
    await this.patiently(options, login, patienceMs, async () => {
      await login.start();
      await engine.open(engine.catalog.isOpen ? undefined : await together.definitions.add(served));
    });
    await this.patiently(options, login, patienceMs, () => together.begins.add(served));
  }

  /** Waits for the database of a login. */
  whileAway(login: LoginEngine, patienceMs: number, work: () => Promise<void>): Promise<void> {
    return this.patiently({}, login, patienceMs, work);
  }

  private patiently(
    { tenant }: { readonly tenant?: string },
    login: LoginEngine,
    patienceMs: number,
    work: () => Promise<void>,
  ): Promise<void> {
    const together = this.togetherOn(login);
    return whileDatabaseIsAway(
      {
        ...(tenant === undefined ? {} : { tenant }),
        patienceMs,
        signal: this.parts.stopping,
        // Once for all tenants on it.
        mayWarn: () => !together.saidAway && (together.saidAway = true),
      },
      async () => {
        await work();
        together.saidAway = false;
      },
    );
  }

  private togetherOn(login: LoginEngine): Together {
    let together = this.together.get(login);
    if (together === undefined) {
      together = {
        // Not in turn: a migration may take long, and those that are asked for meanwhile need not wait for it.
        migrations: new Gathering({ inTurn: false }, migrateTogether),
        names: new Gathering({ inTurn: true }, (batch) => keepNames(login.pools.general, batch)),
        definitions: new Gathering({ inTurn: true }, async (batch) => {
          const known = await knownDefinitions(
            login.pools,
            batch.map(({ item }) => item),
          );
          for (const { item, resolve } of batch) resolve(known.get(item));
        }),
        begins: new Gathering({ inTurn: true }, async (batch) => {
          await begin(
            login,
            batch.map(({ item }) => item),
          );
          for (const { resolve } of batch) resolve();
        }),
        saidAway: false,
      };
      this.together.set(login, together);
    }
    return together;
  }
}

function createDataSource(
  options: HostedTenantOptions,
  login: LoginEngine,
  libraryEntities: boolean,
  role: TenantRole | undefined,
): DataSource {
  const { schema, entities, migrations, searchPath, connection = {} } = options;
  return createTenantDataSource({
    pool: login.pools.general,
    schema,
    libraryEntities,
    role,
    searchPath,
    ...(entities === undefined ? {} : { entities }),
    ...(migrations === undefined ? {} : { migrations }),
    options: connection,
  });
}

/** Processes that discover the tenants call them by these names. Not being allowed to say them costs only that. */
async function keepNames(
  pool: pg.Pool,
  batch: readonly Gathered<MarkedSchema, boolean>[],
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
        `Tenant "${item.tenant}": its name could not be kept with schema "${item.schema}", so processes that discover ` +
          `it call it by that: ${describeError(error)}`,
      );
      resolve(false);
    }
  }
}

/** Each is told as soon as it is through. */
async function migrateTogether(
  batch: readonly Gathered<CloacinaMigrator, EnsureResult>[],
): Promise<void> {
  const byMigrator = new Map(batch.map((gathered) => [gathered.item, gathered]));
  await ensureSchemas([...byMigrator.keys()], {
    atBoot: true,
    onOutcome: ({ migrator, result, error }) => {
      const gathered = byMigrator.get(migrator);
      if (result === undefined) gathered?.reject(error);
      else gathered?.resolve(result);
    },
  });
}

/** Up to this number of tenants claim without asking first whether they have work: to ask takes as long as to claim. */
const FEW_TENANTS = 4;

/**
 * What dead predecessors left comes first, before this process claims: one pass for all of them. In a schema that was
 * created a moment ago there is none.
 */
async function begin(login: LoginEngine, tenants: readonly ServedTenant[]): Promise<void> {
  const here = tenants.filter(({ isDraining }) => !isDraining);
  login.process.expect(here.map(({ engine }) => engine));
  const names = here.filter(({ isNew }) => !isNew).map(({ tenant }) => tenant.name);
  if (names.length > 0) await login.recovery.runOnce('boot', names);
  const engines = here.filter(({ isDraining }) => !isDraining).map(({ engine }) => engine);
  login.process.add(engines);
  login.startClaiming();
  if (engines.length <= FEW_TENANTS) for (const engine of engines) engine.dispatch();
}
