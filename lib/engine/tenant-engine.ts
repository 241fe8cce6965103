import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import { toStoredError, type StoredError } from '../errors/index.js';
import type { CompiledWorkflow } from '../workflow/index.js';
import { ClaimReconciler } from './claims/claim-reconciler.js';
import { ClaimGate } from './claims/claim-gate.js';
import { ClaimsInFlight } from './claims/claims-in-flight.js';
import { ClaimReceiver } from './claims/claim-receiver.js';
import { TaskRescheduler } from './claims/task-rescheduler.js';
import { ClaimTable } from './claims/claim-table.js';
import { Claimer } from './claims/claimer.js';
import { FinalContextWriter } from './memory/final-context-writer.js';
import { DefinitionCatalog, LOOK_INTERVAL_MS } from './definitions/definition-catalog.js';
import { CompletionWaiters } from './completion/completion-waiters.js';
import { EngineState } from './engine-state.js';
import { ExecutionControl } from './execution-control.js';
import { ExecutionStarts } from './starts/execution-starts.js';
import { Executor } from './execution/executor.js';
import { REFUSED } from './execution/handler-outcome.js';
import { HandlerRunner } from './execution/handler-runner.js';
import type { HungHandler } from './execution/hung-handlers.js';
import { OrphanReceiver } from './claims/orphan-receiver.js';
import { InputReader } from './memory/input-reader.js';
import { LeaseRelease } from './lease/lease-release.js';
import { OutcomeRecorder } from './execution/outcome-recorder.js';
import type { TaskResult } from './execution/task-result.js';
import { StrandedTasks } from './definitions/stranded-tasks.js';
import { TaskCompleter } from './execution/task-completer.js';
import { TenantDrain } from './tenant-drain.js';
import { TenantEvents, type EventSink } from '../events/tenant-events.js';
import type { TenantQueue } from './slots/tenant-queue.js';
import { TenantLease } from './lease/tenant-lease.js';
import type { ProcessServices, TenantSettings } from './process-services.js';
import type {
  DueTimes,
  EndedExecution,
  KnownDefinitions,
  TenantStore,
} from '../store/port/index.js';
import type { TaskContext } from '../discovery/task-context.js';

/** How long a drained tenant tries to delete its lease, and its pause in between, in milliseconds. */
const RELEASE_GRACE_MS = 2_000;
const RELEASE_PAUSE_MS = 20;

export interface TenantEngineParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  /** For user code. */
  readonly dataSource: TaskContext['dataSource'];
  readonly registry: Pick<WorkflowRegistry, 'get' | 'list'>;
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
  /** Shared by all tenants of the process: see {@link DefinitionCatalog}. */
  readonly restored?: Map<string, Promise<CompiledWorkflow>>;
  readonly services: ProcessServices;
  readonly events: EventSink;
}

/** One tenant in this process: starts, claims, runs and records its work. */
export class TenantEngine {
  private readonly state = new EngineState(() => this.claimer.stateChanged());
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  readonly catalog: DefinitionCatalog;
  private readonly stranded: StrandedTasks;
  readonly lease: TenantLease;
  readonly release: LeaseRelease;
  readonly claims = new ClaimTable();
  private readonly inFlight = new ClaimsInFlight();
  readonly waiters: CompletionWaiters;
  readonly control: ExecutionControl;
  readonly starts: ExecutionStarts;
  private readonly logger = new Logger('Cloacina');
  private readonly services: ProcessServices;
  private readonly events: TenantEvents;
  private readonly queue: TenantQueue;
  private readonly gate: ClaimGate;
  private readonly inputs: InputReader;
  private readonly contexts: FinalContextWriter;
  private readonly receiver: ClaimReceiver;
  private readonly recorder: OutcomeRecorder;
  private readonly rescheduler: TaskRescheduler;
  private readonly completer: TaskCompleter;
  readonly orphans: OrphanReceiver;
  private readonly executor: Executor;
  private readonly claimer: Claimer;
  private readonly reconciler: ClaimReconciler;
  private readonly tenantDrain: TenantDrain;
  private opened: Promise<void> | undefined;
  private restoring: Promise<void> | undefined;
  /** Whether a recovery is taking orphans for this tenant. */
  isRecovering: () => boolean = () => false;

  constructor(parts: TenantEngineParts) {
    const { settings, store, services } = parts;
    this.settings = settings;
    this.store = store;
    this.services = services;
    this.events = new TenantEvents(settings.tenant, parts.events);
    this.catalog = new DefinitionCatalog(store, parts.registry, parts.serves, parts.restored);
    this.stranded = new StrandedTasks(settings.tenant, store, this.catalog);
    this.lease = new TenantLease(services.identity, settings.leaseDurationMs, () =>
      services.renewLeases(),
    );
    this.release = new LeaseRelease({
      state: this.state,
      store,
      lease: this.lease,
      isBusy: () => this.isBusy,
      stillHeld: () => this.reconciler.request(),
    });
    this.queue = services.slots.createQueue(settings.maxConcurrentTasks, () =>
      this.claimer.claimAvailable(),
    );
    this.gate = new ClaimGate(this.queue, this.lease, this.inFlight);
    this.waiters = new CompletionWaiters(store, (id) => this.claims.isActive(id));
    this.claims.onIdle = (id) => this.waiters.ownershipLost(id);
    this.claims.onDoubt = () => this.reconciler.doubt();
    this.inputs = new InputReader(store);
    this.contexts = new FinalContextWriter(store, this.inputs);
    this.receiver = new ClaimReceiver({
      catalog: this.catalog,
      claims: this.claims,
      take: (claim) => this.executor.take(claim),
      deadlineIn: (ms) => services.deadlineIn(settings.address, ms),
    });
    this.rescheduler = new TaskRescheduler(store, this.claims);
    this.recorder = new OutcomeRecorder(store, this.claims, this.gate, {
      claimed: (result, readied) => this.receiver.fromOutcome(result, readied),
      leftReady: () => this.wakeWorkers(),
      ended: (result, end) => this.executionEnded(result, end),
      recorded: ({ claim, status, error }) => this.events.taskEnded(claim, status, error),
      refused: ({ claim }) => this.completer.complete(claim, REFUSED),
      mayBeWritten: () => this.reconciler.request(),
    });
    this.reconciler = new ClaimReconciler({
      tenant: settings.tenant,
      store,
      claims: this.claims,
      inFlight: this.inFlight,
      instanceId: () => this.lease.instanceId,
      maxRecoveryAttempts: settings.maxRecoveryAttempts,
      lease: this.lease,
      orphans: () => this.orphans,
      wakeWorkers: () => this.wakeWorkers(),
    });
    this.claimer = new Claimer({
      state: this.state,
      tenant: settings.tenant,
      store,
      catalog: this.catalog,
      queue: this.queue,
      gate: this.gate,
      except: () => this.executor.overrunningTasks(),
      adopt: (task) => this.receiver.fromRow(task),
      reconcile: () => this.reconciler.request(),
      tryAgainIn: (ms) => services.wakeIn(settings.address, ms),
      foundNothing: () => void this.lookForOthers(),
      leftReady: () => services.notifyWork(settings.address),
    });
    this.completer = new TaskCompleter({
      state: this.state,
      store,
      claims: this.claims,
      inputs: this.inputs,
      recorder: this.recorder,
      rescheduler: this.rescheduler,
      events: this.events,
      dueIn: (ms) => this.dueIn(ms),
      reconcile: () => this.reconciler.request(),
    });
    this.orphans = new OrphanReceiver({
      tenant: settings.tenant,
      recovery: store.recovery,
      catalog: this.catalog,
      claims: this.claims,
      gate: this.gate,
      completer: this.completer,
      events: this.events,
      definitionsUnknown: () => void this.lookForOthers(),
    });
    this.executor = new Executor({
      state: this.state,
      store,
      queue: this.queue,
      inputs: this.inputs,
      handlers: new HandlerRunner({
        settings,
        store,
        dataSource: parts.dataSource,
        recorder: this.recorder,
        gate: this.gate,
      }),
      completer: this.completer,
      events: this.events,
      settings,
      overrunEnded: () => this.claimAvailable(),
    });
    this.control = new ExecutionControl({
      address: settings.address,
      store,
      claims: this.claims,
      waiters: this.waiters,
      completer: this.completer,
      reconciler: this.reconciler,
      events: this.events,
      services,
      instanceId: () => this.lease.instanceId,
    });
    this.starts = new ExecutionStarts({
      settings,
      store,
      queue: this.queue,
      gate: this.gate,
      services,
      receiver: this.receiver,
      events: this.events,
      wakeWorkers: () => this.wakeWorkers(),
      dueIn: (ms) => this.dueIn(ms),
      reconcile: () => this.reconciler.request(),
      definitionsMissing: () => void this.restoreDefinitions(),
    });
    this.tenantDrain = new TenantDrain({
      claims: this.claims,
      queue: this.queue,
      completer: this.completer,
      recording: [
        this.starts,
        this.claimer,
        this.inputs,
        this.recorder,
        this.rescheduler,
        this.contexts,
        this.reconciler,
      ],
      isBusy: () => this.isBusy || this.isRecording,
      isConnected: () => this.services.isConnected(),
    });
  }

  /** Whether claims are held or statements under way that may make some: then the lease has to stay. */
  get isBusy(): boolean {
    return (
      this.claims.size > 0 ||
      this.queue.reserved > 0 ||
      this.claimer.isClaiming ||
      this.reconciler.isPending
    );
  }

  /** Whether anything is under way that has to end before the connections do. */
  private get isRecording(): boolean {
    return (
      this.inputs.isBusy ||
      this.recorder.isBusy ||
      this.rescheduler.isBusy ||
      this.contexts.isBusy ||
      this.executor.isNoting ||
      this.inFlight.isBusy ||
      this.isRecovering()
    );
  }

  /**
   * Registers the definitions; once, and again if that failed. A start before the bootstrap does it already.
   *
   * @param known - what is stored, for a caller that has read it
   */
  open(known?: KnownDefinitions): Promise<void> {
    this.opened ??= this.catalog.open(known).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  /**
   * Lets it claim, or stops it from claiming, as the process gains and loses its proof of life. Whether there is work
   * that it was not told of in between is asked for all tenants at once, by the process.
   */
  allowClaims(allowed: boolean): void {
    this.state.on(allowed ? 'live' : 'away');
    if (allowed) this.waiters.recheck();
  }

  /** Claims nothing until {@link resumeClaiming} and gives back what has not begun; what runs goes on. */
  pauseClaiming(): void {
    this.state.on('pause');
    this.tenantDrain.giveBackWaiting();
  }

  resumeClaiming(): void {
    this.state.on('resume');
    this.claimAvailable();
  }

  /** Claims what is due, as long as there is room. */
  claimAvailable(): void {
    this.claimer.claimAvailable();
  }

  /** Ready tasks that this process did not claim: it does when it has capacity, and the others are told now. */
  wakeWorkers(): void {
    this.queue.hasBacklog = true;
    this.claimAvailable();
    this.services.notifyWork(this.settings.address);
  }

  /** Something has become due, and maybe only this process knows. */
  workIsDue(): void {
    if (this.queue.capacity > 0 && this.executor.overrunningTasks().length === 0)
      this.claimAvailable();
    else this.wakeWorkers();
  }

  /** Takes in when the tenant's next task and deadline are due. */
  scheduleWakeUps({ taskIsDue, nextTaskInMs, nextDeadlineInMs }: DueTimes): void {
    const { address } = this.settings;
    if (taskIsDue) {
      this.claimAvailable();
      void this.lookForOthers();
      // A process that takes no tasks is not the one that misses a handler.
      if (this.queue.limit > 0) void this.stranded.look();
    }
    if (nextTaskInMs !== null) this.services.wakeIn(address, nextTaskInMs);
    if (nextDeadlineInMs !== null) this.services.deadlineIn(address, nextDeadlineInMs);
  }

  /** A task was put back, and becomes due in `ms` milliseconds. */
  dueIn(ms: number): void {
    if (ms <= 0) this.wakeWorkers();
    else this.services.wakeIn(this.settings.address, ms);
  }

  private executionEnded(
    { claim, error, status: taskStatus }: TaskResult,
    { status, hasWaiters, contextMissing }: EndedExecution,
  ): void {
    if (contextMissing) this.contexts.add(claim);
    const workflow = claim.definition.workflow.name;
    // Of a task that failed earlier, in another branch, the error is in its row.
    const failure =
      status === 'Failed' && taskStatus === 'Failed'
        ? { error: error as StoredError, failedTask: claim.task.name }
        : undefined;
    this.events.executionEnded(claim.executionId, workflow, status, failure);
    this.waiters.ended(claim.executionId);
    if (hasWaiters) this.services.notifyEnded(this.settings.address, claim.executionId);
  }

  /** Handlers in this process that go on though their signals were aborted a while ago. */
  hungHandlers(): HungHandler[] {
    return this.executor.hungHandlers();
  }

  reconcileClaims(): void {
    this.reconciler.request();
  }

  /** Tasks may wait that are pinned to a definition which another process has registered since this one booted. */
  private async lookForOthers(): Promise<void> {
    try {
      const found = await this.catalog.lookForOthers();
      if (found === 'found') this.claimAvailable();
      else if (found === 'tooEarly') {
        this.services.wakeIn(this.settings.address, LOOK_INTERVAL_MS);
      }
    } catch {
      // The next look finds it.
    }
  }

  /** The database may have gone back in time, or a statement of this process may be lost: nothing is taken for granted. */
  doubt(): void {
    this.lease.doubt();
    this.reconciler.doubt();
  }

  /** The schema was dropped and made again. */
  schemaReplaced(): void {
    this.logger.warn(
      `Tenant "${this.settings.tenant}": schema "${this.settings.schema}" was dropped and created again. What this process ` +
        'had claimed in it is gone; it goes on with the new one.',
    );
    this.doubt();
  }

  /** The server has begun another life. If that is another server, or a restored one, what was written last may be lost. */
  newLife(): void {
    if (this.claims.size > 0 || this.lease.mayStand) this.doubt();
  }

  /** The database has lost definitions that this process had stored: they are stored again. */
  private restoreDefinitions(): Promise<void> {
    this.restoring ??= this.catalog
      .registerAgain()
      .catch((error: unknown) => {
        this.logger.warn(
          `Tenant "${this.settings.tenant}": its workflow definitions could not be stored again: ${toStoredError(error).message}`,
        );
      })
      .finally(() => (this.restoring = undefined));
    return this.restoring;
  }

  /** The lease is gone, so others take this process for dead: whatever it holds is theirs. */
  leaseLost(): void {
    this.lease.lost();
    for (const claim of this.claims.all()) this.claims.lose(claim);
    this.queue.removeQueued();
  }

  /**
   * Stops claiming, gives back what has not begun, waits for handlers up to `timeoutMs`, then aborts them and gives
   * their tasks back. Nothing is lost and no attempt is charged.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.state.on('drain');
    await this.tenantDrain.run(timeoutMs);
    await this.tenantDrain.withinGrace(RELEASE_GRACE_MS, this.releaseLease());
  }

  /** A release that is under way already, failed, or has to wait for a comparison, is followed by another one. */
  private async releaseLease(): Promise<void> {
    const end = performance.now() + RELEASE_GRACE_MS;
    while (this.lease.mayStand && this.claims.size === 0 && performance.now() < end) {
      if (!this.isBusy) await this.release.runOnce();
      if (this.lease.mayStand) await delay(RELEASE_PAUSE_MS);
    }
  }

  close(): void {
    this.state.on('close');
    this.services.slots.removeQueue(this.queue);
    this.reconciler.close();
    this.starts.close();
    this.recorder.close();
    this.rescheduler.close();
    this.inputs.close();
    this.contexts.close();
    this.executor.close();
  }
}
