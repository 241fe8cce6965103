import { AsyncResource } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, EntitySchema, MigrationInterface } from 'typeorm';
import { Subject } from 'rxjs';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import { RunQueue } from '../engine/run-queue.js';
import { TenantEngine } from '../engine/tenant-engine.js';
import type { EngineEvent } from '../engine/tenant-parts.js';
import { DatabaseUnavailableError, toStoredError } from '../errors/index.js';
import { CloacinaRecovery } from '../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../runner/cloacina-runner.js';
import { loginKey, type ConnectionSource } from '../store/connection-config.js';
import { createTenantDataSource } from '../store/data-source.js';
import { failureKind } from '../store/failure-kind.js';
import { PostgresStore } from '../store/postgres-store.js';
import { CloacinaMigrator } from './cloacina-migrator.js';
import { LoginEngine } from './login-engine.js';
import { quoteIdentifier } from './schema-name.js';

/** How long a boot waits for a database that doesn't answer, in milliseconds. */
const BOOT_PATIENCE_MS = 60_000;
const BOOT_RETRY_MS = 500;

/** What serving a tenant takes; the module's options, resolved. */
export interface HostedTenantOptions extends ConnectionSource {
  readonly tenant: string;
  readonly schema: string;
  readonly controlUrl?: string | undefined;
  readonly controlConnection: boolean;
  readonly enableRecovery: boolean;
  readonly maxRecoveryAttempts: number;
  readonly poolSize: number;
  readonly maxConcurrentTasks: number;
  readonly leaseDurationMs: number;
  readonly shutdownTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly maxContextSize: number;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  readonly entities?: readonly (Function | EntitySchema)[];
  readonly migrations?: readonly (new () => MigrationInterface)[];
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
}

/** A tenant that this process serves. */
export interface HostedTenant {
  readonly name: string;
  readonly schema: string;
  readonly runner: CloacinaRunner;
  readonly migrator: CloacinaMigrator;
  readonly recovery: CloacinaRecovery;
  readonly dataSource: DataSource;
}

interface Open {
  readonly tenant: HostedTenant;
  readonly engine: TenantEngine;
  readonly login: LoginEngine;
  readonly options: HostedTenantOptions;
  drained: Promise<void> | undefined;
  readonly events: Subject<EngineEvent>;
}

/** Opens, runs, drains and closes the tenants of one application. */
export class TenantHost {
  private readonly logger = new Logger('Cloacina');
  private readonly logins = new Map<string, LoginEngine>();
  private readonly open = new Map<string, Open>();
  private readonly slots: RunQueue;
  private closed = false;

  constructor(
    private readonly registry: WorkflowRegistry,
    /** Tasks that run at once in this process. */
    maxConcurrentTasks: number,
  ) {
    this.slots = new RunQueue(maxConcurrentTasks);
  }

  /** Creates and migrates the schema, connects the tenant's data source; nothing is claimed yet. */
  async openTenant(options: HostedTenantOptions): Promise<HostedTenant> {
    const login = this.loginFor(options);
    const dataSource = createTenantDataSource({
      pool: login.pools.general,
      schema: options.schema,
      ...(options.entities === undefined ? {} : { entities: options.entities }),
      ...(options.migrations === undefined ? {} : { migrations: options.migrations }),
      options: options.connection ?? {},
    });
    const migrator = new CloacinaMigrator({
      tenant: options.tenant,
      schema: options.schema,
      pool: login.pools.general,
      dataSource,
    });
    await this.patiently(options, async () => {
      await login.start();
      if (!dataSource.isInitialized) await dataSource.initialize();
      await migrator.ensure();
    });
    const events = new Subject<EngineEvent>();
    const engine = this.engineFor(options, login, dataSource, events);
    const runner = new CloacinaRunner({
      engine,
      registry: this.registry,
      events,
      shutdown: () => this.drainTenant(options.tenant),
    });
    const recovery = recoveryOf(options, login, engine);
    const tenant = {
      name: options.tenant,
      schema: options.schema,
      runner,
      migrator,
      recovery,
      dataSource,
    };
    this.open.set(options.tenant, { tenant, engine, login, options, events, drained: undefined });
    return tenant;
  }

  /** Registers definitions and lets the tenants claim. From here on work begins. */
  async startClaiming(): Promise<void> {
    const open = [...this.open.values()];
    await Promise.all(
      open.map(({ engine, options }) => this.patiently(options, () => engine.open())),
    );
    // What dead predecessors left comes first, before this process says that it is ready: one pass for all tenants.
    const logins = new Map(open.map(({ login, options }) => [login, options]));
    await Promise.all(
      [...logins].map(([login, options]) =>
        this.patiently(options, async () => void (await login.recovery.runOnce('boot'))),
      ),
    );
    for (const { engine, login } of open) login.process.add(engine);
    for (const login of this.logins.values()) login.process.startClaiming();
  }

  /** One pass over all tenants for what lost processes left. Idempotent. */
  async recoverOnce(): Promise<void> {
    await Promise.all(
      [...this.logins.values()].map((login) => login.recovery.runOnce('leaseOver')),
    );
  }

  /** Gives back what has not begun and waits for what runs: nothing is claimed any more. */
  async drain(): Promise<void> {
    await Promise.all([...this.open.keys()].map((tenant) => this.drainTenant(tenant)));
  }

  /** After the drain: waiters are told, and the connections are closed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.drain();
    for (const { tenant, engine, events } of this.open.values()) {
      tenant.runner.closed();
      events.complete();
      engine.close();
      if (tenant.dataSource.isInitialized) await tenant.dataSource.destroy();
    }
    this.open.clear();
    await Promise.all([...this.logins.values()].map((login) => login.close()));
    this.logins.clear();
  }

  private drainTenant(name: string): Promise<void> {
    const open = this.open.get(name);
    if (open === undefined) return Promise.resolve();
    return (open.drained ??= open.engine.drain(open.options.shutdownTimeoutMs).then(() => {
      open.login.recovery.remove(name);
      open.login.process.remove(open.engine);
    }));
  }

  private engineFor(
    options: HostedTenantOptions,
    login: LoginEngine,
    dataSource: DataSource,
    events: Subject<EngineEvent>,
  ): TenantEngine {
    // Subscribers are told outside of any task or request.
    const scope = new AsyncResource('CloacinaEvents');
    return new TenantEngine({
      settings: { ...options, address: addressOf(options.schema) },
      store: new PostgresStore({
        schema: options.schema,
        quotedSchema: quoteIdentifier(options.schema),
        pools: login.pools,
        dataSource,
      }),
      registry: this.registry,
      serves: options.serves,
      services: login.process.services,
      emit: (event) => {
        if (events.observed) scope.runInAsyncScope(() => events.next(event));
      },
    });
  }

  private loginFor(options: HostedTenantOptions): LoginEngine {
    const key = loginKey(options);
    let login = this.logins.get(key);
    if (login === undefined) {
      login = new LoginEngine(options, this.slots);
      this.logins.set(key, login);
    } else {
      login.pools.grow(options.poolSize);
    }
    return login;
  }

  /** A database that is still starting is waited for; one that refuses is not. */
  private async patiently(options: HostedTenantOptions, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        await work();
        return;
      } catch (error) {
        if (this.closed) throw error;
        const waitedMs = Math.round(performance.now() - began);
        if (!isAway(error)) throw error;
        if (waitedMs > BOOT_PATIENCE_MS) {
          throw new DatabaseUnavailableError(
            { tenant: options.tenant, waitedMs },
            { cause: error },
          );
        }
        if (attempt === 0) {
          this.logger.warn(
            `Tenant "${options.tenant}": waiting for its database: ${toStoredError(error).message}`,
          );
        }
        await delay(BOOT_RETRY_MS);
      }
    }
  }
}

/** Ties the tenant's engine to the watch over its login's processes. */
function recoveryOf(
  options: HostedTenantOptions,
  login: LoginEngine,
  engine: TenantEngine,
): CloacinaRecovery {
  const { tenant, enableRecovery, maxRecoveryAttempts } = options;
  login.recovery.add({
    tenant,
    enableRecovery,
    maxRecoveryAttempts,
    store: engine.store,
    ownInstanceId: () => engine.lease.instanceId,
    lease: () => engine.lease.forClaim(),
    leaseWritten: (lease) => engine.lease.written(lease),
    abandon: (orphan) => engine.abandon(orphan),
    workIsReady: () => engine.workIsReady(),
  });
  if (!enableRecovery) {
    new Logger('CloacinaRecovery').warn(
      `Tenant "${tenant}": recovery is off (enableRecovery: false). Tasks of lost processes stay as they are, unless ` +
        'another process recovers them.',
    );
  }
  return new CloacinaRecovery({
    store: engine.store,
    run: () => login.recovery.runOnce('manual', [tenant]),
    claimable: () => engine.catalog.claimable,
    nameTask: async (definitionId, taskNo) => {
      const { workflow } = await engine.catalog.find(definitionId);
      return { workflow: workflow.name, task: workflow.tasks[taskNo]?.name ?? String(taskNo) };
    },
  });
}

/** An error of the library has been judged already, but for one that says that the database is away. */
function isAway(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  if (typeof error !== 'object' || error === null) return false;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && code !== '' && failureKind(error) === 'connection';
}

function addressOf(schema: string): string {
  return createHash('sha256').update(schema).digest('hex').slice(0, 16);
}
