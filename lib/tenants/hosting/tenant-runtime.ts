import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { Subject } from 'rxjs';
import type { RegisteredWorkflow, WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { servesOnly } from '../../discovery/workflow-filter.js';
import { describeHung } from '../../engine/execution/hung-handlers.js';
import { TenantEngine } from '../../engine/tenant-engine.js';
import type { ApplicationHooks } from './application-hooks.js';
import type { ProcessServices } from '../../engine/process-services.js';
import type { EventSink } from '../../events/tenant-events.js';
import type { WorkflowEvent } from '../../events/workflow-event.js';
import { detached } from '../../runtime/untraced.js';
import { MergedCalls, type ReactionLimit } from '../../runtime/merged-calls.js';
import { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import { builtInWorkflows } from '../../runner/bulk/bulk-workflow.js';
import { scheduleWorkflows } from '../../runner/schedules/backfill-workflow.js';
import { archiveOf } from '../../runner/archive.js';
import { CloacinaRunner } from '../../runner/cloacina-runner.js';
import { definitionToShow } from '../../runner/stand-in-definition.js';
import { PostgresStore } from '../../store/postgres/postgres-store.js';
import type { CompiledWorkflow } from '../../workflow/index.js';
import type { CloacinaMigrator } from '../migrations/cloacina-migrator.js';
import type { ConnectionGroup } from './connection-group.js';
import type { MoveFollower } from '../moving/move-follower.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { tellMoveOf } from './move-listeners.js';
import { notePoolSize } from './pool-sizes.js';
import { addressOf } from '../tenant-address.js';
import { describeWait } from './serving-log.js';
import type { ResolvedTenantOptions } from '../../options/index.js';
import type { Tenant } from './tenant.js';
import type { TenantArrival } from './tenant-arrival.js';

/** Limit of looks whether the tenant moves. */
const REFUSALS: ReactionLimit = { burst: 5, intervalMs: 500 };

export interface TenantRuntimeParts {
  readonly options: ResolvedTenantOptions;
  readonly group: ConnectionGroup;
  readonly dataSource: DataSource;
  readonly migrator: CloacinaMigrator;
  readonly registry: WorkflowRegistry;
  readonly hooks: ApplicationHooks;
  /** Older definitions that tenants of this process have read, by hash. Shared by all tenants. */
  readonly restored: Map<string, Promise<CompiledWorkflow>>;
  /** Whether the process lets its tenants claim. False while the application boots. */
  readonly isClaiming: () => boolean;
  /** Whether the schema was just created, so it contains no executions. */
  readonly isNew: boolean;
  /** Whether discovery found the tenant, and the application did not add it itself. */
  readonly isDiscovered: boolean;
  /** The wait for the tenant's server, if it could not be reached at the boot. */
  readonly arrival?: TenantArrival;
  /** Has the data source and the migrator use another server. Absent in memory. */
  readonly moveTo?: (group: ConnectionGroup) => Promise<void>;
  /** Creates what follows the tenant's moves. Absent in memory. */
  readonly follower?: (runtime: TenantRuntime) => MoveFollower;
}

/** One tenant of this process, from the end of its migrations to its close. */
export class TenantRuntime {
  readonly tenant: Tenant;
  readonly engine: TenantEngine;
  /** The options with which the application has opened the tenant. */
  given: ResolvedTenantOptions;
  /** Follows the tenant's moves to other servers. Undefined in memory. */
  readonly moves: MoveFollower | undefined;
  /** Whether the schema was just created, so it contains no executions. */
  isNew: boolean;
  isDiscovered: boolean;
  private readonly serves: (workflow: RegisteredWorkflow) => boolean;
  private readonly events = new Subject<WorkflowEvent>();
  /** Looks whether the tenant moves, for statements that its schema refused. */
  private readonly refused: MergedCalls;
  private readonly services: ProcessServices;
  /** The server on which the tenant lives, as this process serves it. */
  private place: { readonly options: ResolvedTenantOptions; readonly group: ConnectionGroup };
  private postgres: PostgresStore | undefined;
  /** Whether the tenant has changed its server, and is not activated there yet. */
  private hasMoved = false;
  private drained: Promise<void> | undefined;
  private readonly leaving = new AbortController();

  constructor(private readonly parts: TenantRuntimeParts) {
    const { options, group, migrator, dataSource, arrival } = parts;
    this.given = options;
    this.place = { options, group };
    // A copy, because a move puts the services of other connections into it.
    this.services = { ...group.process.services };
    this.isNew = parts.isNew;
    this.isDiscovered = parts.isDiscovered;
    this.serves = servesOnly(options.workflows);
    // Whatever has the tenant opened, its tasks and events do not belong to that.
    this.engine = detached(() => this.createEngine());
    this.tenant = {
      name: options.tenant,
      schema: options.schema,
      runner: new CloacinaRunner({
        engine: this.engine,
        registry: parts.registry,
        serves: this.serves,
        hasBooted: parts.isClaiming,
        events: this.events,
        shutdown: () => this.drain(),
        gate: () => this.gate(arrival),
      }),
      migrator,
      recovery: this.createRecovery(),
      dataSource,
    };
    notePoolSize(this.tenant, () => this.group.poolSize);
    if (options.server !== undefined) {
      Object.defineProperty(this.tenant, 'server', {
        get: () => this.options.server,
        enumerable: true,
      });
    }
    this.moves = parts.follower?.(this);
    this.engine.onMove = () => {
      void this.moves?.look();
      tellMoveOf(this.tenant);
    };
    this.refused = new MergedCalls(() => this.moves?.look(), REFUSALS, group.clocks.process);
  }

  /** The options on the server on which the tenant lives. */
  get options(): ResolvedTenantOptions {
    return this.place.options;
  }

  get group(): ConnectionGroup {
    return this.place.group;
  }

  /** Whether calls have to wait, and for what. */
  private gate(
    arrival: TenantArrival | undefined,
  ): ((closed: AbortSignal) => Promise<void>) | undefined {
    if (arrival?.isAway === true) return (closed) => arrival.wait(closed);
    const { moves } = this;
    return moves?.isLeaving === true ? (closed) => moves.wait(closed) : undefined;
  }

  /**
   * Serves the tenant on another server, with the same injected objects. The tenant claims nothing until it is activated there.
   * The caller releases the former group.
   */
  async moveTo(options: ResolvedTenantOptions, group: ConnectionGroup): Promise<void> {
    const { engine, services, parts } = this;
    await parts.moveTo?.(group);
    const { group: former } = this;
    former.recovery.remove(options.tenant);
    former.process.remove(engine);
    former.announcements.forget(engine);
    engine.leaveServer();
    this.postgres?.moveTo(group.pools);
    Object.assign(services, group.process.services);
    this.place = { options, group };
    this.register();
    this.isNew = false;
    this.hasMoved = true;
  }

  /** Whether the tenant has to be activated on the server to which it has moved. */
  get needsActivation(): boolean {
    return this.hasMoved;
  }

  activated(): void {
    this.hasMoved = false;
  }

  /** The wait for the tenant's server, if it could not be reached at the boot. */
  get arrival(): TenantArrival | undefined {
    return this.parts.arrival;
  }

  /** Aborted when the tenant stops for good. */
  get left(): AbortSignal {
    return this.leaving.signal;
  }

  /** Whether the tenant has stopped claiming for good. */
  get isDraining(): boolean {
    return this.drained !== undefined;
  }

  /**
   * Stops claiming, returns unstarted claims, and waits for running handlers. Later calls wait for the first one.
   *
   * @param timeoutMs - how long running handlers may continue. Default: the tenant's `shutdownTimeout`
   */
  drain(timeoutMs = this.options.shutdownTimeoutMs): Promise<void> {
    this.leaving.abort();
    this.drained ??= this.stop(timeoutMs);
    return this.drained;
  }

  private async stop(timeoutMs: number): Promise<void> {
    // Recovery stops first, because it makes orphaned tasks claims of this process.
    this.group.recovery.remove(this.options.tenant);
    const wait = describeWait(this.options.tenant, this.engine.claims.all(), timeoutMs);
    if (wait !== undefined && timeoutMs > 0) new Logger('Cloacina').log(wait);
    await this.engine.drain(timeoutMs);
    this.group.process.remove(this.engine);
  }

  /** Call it after the drain. It rejects waiting callers, and releases everything of the tenant but its login. */
  async close(): Promise<void> {
    this.refused.close();
    this.moves?.close();
    this.tenant.runner.closed();
    this.events.complete();
    this.engine.close();
    const { dataSource } = this.parts;
    if (dataSource.isInitialized) await dataSource.destroy();
  }

  private createEngine(): TenantEngine {
    const { options, group, dataSource, registry, restored } = this.parts;
    const { storage } = group;
    const { services } = this;
    const ofLibrary = [...builtInWorkflows(), ...scheduleWorkflows()];
    const onPostgres = (): PostgresStore =>
      (this.postgres = new PostgresStore({
        schema: options.schema,
        quotedSchema: quoteIdentifier(options.schema),
        pools: group.pools,
        dataSource,
        clocks: group.clocks,
        keepsKeys: options.retention?.keysMs !== undefined,
        onMove: () => this.refused.call(),
      }));
    return new TenantEngine({
      settings: { ...options, address: addressOf(options.schema) },
      store: storage?.storeOf(options.schema, onPostgres) ?? onPostgres(),
      dataSource,
      runner: () => this.tenant.runner,
      registry,
      serves: this.serves,
      restored,
      builtIns: storage?.builtIns(ofLibrary) ?? ofLibrary,
      services,
      events: this.eventSink(),
      interceptors: this.parts.hooks.interceptors,
      retention: {
        pacer: { run: (...args) => this.group.pacer.run(...args) },
        ...(options.archive === undefined
          ? {}
          : { archive: archiveOf(options.archive, options.tenant, () => this.tenant.runner) }),
      },
      telemetry: this.parts.hooks.telemetry,
    });
  }

  /** Sends events to the subscribers of `events$`, and to the application's listeners. */
  private eventSink(): EventSink {
    const { events } = this;
    const { listeners } = this.parts.hooks;
    return {
      wants: (name) => events.observed || listeners.want(name),
      next: (event) => {
        listeners.tell(event);
        events.next(event);
      },
    };
  }

  /** Connects the engine to the recovery of its login. */
  private register(): void {
    const { engine, group } = this;
    const { tenant, enableRecovery, maxRecoveryAttempts } = this.options;
    const { telemetry } = this.parts.hooks;
    const recovery = group.recovery.add({
      tenant,
      enableRecovery,
      maxRecoveryAttempts,
      store: engine.store,
      ownInstanceId: () => engine.lease.instanceId,
      takeOrphans: (cause, take) => {
        void engine.settler.settleLeft();
        return engine.orphans.take(cause, take);
      },
      doubt: () => engine.doubt(),
      mayHoldLease: () => engine.lease.mayStand,
      schemaReplaced: () => engine.schemaReplaced(),
      processLost: () => engine.processLost(),
      wakeWorkers: () => engine.wakeUps.wakeWorkers(),
      scheduleWakeUps: (times) => {
        engine.self.swept(times);
        engine.wakeUps.schedule(times);
      },
      measure:
        telemetry &&
        ((cause, lostForMs) => {
          const began = engine.clock.now();
          return () => telemetry.recovered(tenant, cause, lostForMs + engine.clock.now() - began);
        }),
    });
    engine.isRecovering = () => recovery.isTaking;
  }

  private createRecovery(): CloacinaRecovery {
    this.register();
    const { engine } = this;
    const { tenant, enableRecovery } = this.options;
    if (!enableRecovery) {
      new Logger('CloacinaRecovery').warn(
        `Tenant "${tenant}": recovery is off (enableRecovery: false). Tasks of lost processes stay Running until another ` +
          'process recovers them.',
      );
    }
    return new CloacinaRecovery({
      store: engine.store,
      availability: new AvailabilityRetry(
        tenant,
        engine.store,
        this.options.startTimeoutMs,
        engine.clock,
      ),
      run: () => this.group.recoverNow([tenant]),
      claimable: () => engine.catalog.served,
      hung: () =>
        engine.hungHandlers().map((hung) => ({
          executionId: hung.executionId,
          taskName: hung.taskName,
          reason: describeHung(hung),
        })),
      nameTask: async (definitionId, taskNo) => {
        const { workflow } = await definitionToShow(
          engine.catalog,
          { definitionId, workflow: `definition ${definitionId}` },
          taskNo + 1,
        );
        return { workflow: workflow.name, task: workflow.tasks[taskNo]?.name ?? String(taskNo) };
      },
    });
  }
}
