import { Logger } from '@nestjs/common';
import type { KnownDefinitions, TenantStore } from '../store/port/index.js';
import type { BulkControl } from './bulk/bulk-control.js';
import type { ChildUse } from './children/child-use.js';
import type { EndSettler } from './children/end-settler.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { OrphanReceiver } from './claims/orphan-receiver.js';
import type { CompletionWaiters } from './completion/completion-waiters.js';
import type { DefinitionCatalog } from './definitions/definition-catalog.js';
import type { HungHandler } from './execution/hung-handlers.js';
import type { ExecutionControl } from './execution-control.js';
import type { KeyPruner } from './limits/key-pruner.js';
import type { LeaseRelease } from './lease/lease-release.js';
import type { TenantLease } from './lease/tenant-lease.js';
import type { MessageSender } from './messages/message-sender.js';
import { OwnProcess } from './own-process.js';
import type { ProcessServices, TenantSettings } from './process-services.js';
import type { WorkflowControl } from './queues/workflow-control.js';
import type { HistoryPruner } from './schedules/history-pruner.js';
import type { TenantRetention } from './retention/tenant-retention.js';
import type { TenantSchedules } from './schedules/tenant-schedules.js';
import type { ExecutionChanges } from './watch/execution-changes.js';
import type { ExecutionStarts } from './starts/execution-starts.js';
import type { TenantEngineParts } from './wiring/core.js';
import type { WakeUps } from './wake-ups.js';
import { wireEngine, type WiredEngine } from './wiring/wire-engine.js';
import type { CloacinaTelemetry } from '../events/telemetry.js';
import type { Clock } from '../runtime/clock.js';

/** How long a drained tenant tries to delete its lease, in milliseconds. */
const RELEASE_GRACE_MS = 2_000;

/**
 * One tenant in this process: it starts, claims, runs and records the tenant's work. This class is a facade;
 * `wiring/` creates the parts that do the work, and connects them.
 */
export class TenantEngine {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  /** What this process knows of itself here. */
  readonly self: OwnProcess;
  /** Call when the tenant may move to another server, or may have moved. Set by the tenant's runtime. */
  onMove: () => void = () => undefined;
  /** Whether a recovery is taking orphans for this tenant. */
  isRecovering: () => boolean = () => false;
  private readonly logger = new Logger('Cloacina');
  private readonly services: ProcessServices;
  private readonly parts: WiredEngine;
  private opened: Promise<void> | undefined;

  constructor(given: TenantEngineParts) {
    this.settings = given.settings;
    this.store = given.store;
    this.services = given.services;
    this.parts = wireEngine(given, () => this.isRecovering());
    const { settings, services } = this;
    this.self = new OwnProcess({ ...this.parts, settings, services });
  }

  get clock(): Clock {
    return this.services.clock;
  }

  get catalog(): DefinitionCatalog {
    return this.parts.catalog;
  }

  get claims(): ClaimTable {
    return this.parts.claims;
  }

  get lease(): TenantLease {
    return this.parts.lease;
  }

  get release(): LeaseRelease {
    return this.parts.release;
  }

  get waiters(): CompletionWaiters {
    return this.parts.waiters;
  }

  /** Changes of executions that callers watch, here and in other processes. */
  get changes(): ExecutionChanges {
    return this.parts.changes;
  }

  get hearsNotifications(): boolean {
    return this.services.hearsNotifications();
  }

  get control(): ExecutionControl {
    return this.parts.control;
  }

  /** Changes many executions at once. */
  get bulk(): BulkControl {
    return this.parts.bulk;
  }

  /** What traces and measures the work. Undefined: nothing does. */
  get telemetry(): CloacinaTelemetry | undefined {
    return this.parts.telemetry;
  }

  get starts(): ExecutionStarts {
    return this.parts.starts;
  }

  /** Pauses of workflows, the bounds of their queues, and the aging of their tasks. */
  get workflows(): WorkflowControl {
    return this.parts.workflows;
  }

  get messages(): MessageSender {
    return this.parts.messages;
  }

  get schedules(): TenantSchedules {
    return this.parts.schedules;
  }

  /** Passes the ends of executions on to their parents and children. */
  get settler(): EndSettler {
    return this.parts.settler;
  }

  /** Whether executions here have children. */
  get childUse(): ChildUse {
    return this.parts.childUse;
  }

  /** Reacts to tasks that are ready or become due. */
  get wakeUps(): WakeUps {
    return this.parts.wakeUps;
  }

  get keyPruner(): KeyPruner {
    return this.parts.keyPruner;
  }

  /** Deletes old records of firings, and old polls. */
  get historyPruner(): HistoryPruner {
    return this.parts.historyPruner;
  }

  /** Deletes ended executions when their time is over. */
  get retention(): TenantRetention {
    return this.parts.retention;
  }

  get orphans(): OrphanReceiver {
    return this.parts.orphans;
  }

  /**
   * Whether the process has claims, or statements under way that may make some. The lease must stay while it is busy.
   */
  get isBusy(): boolean {
    return this.parts.isBusy();
  }

  /**
   * Registers the definitions once. A call after a failure tries again. A start before the bootstrap calls it already.
   *
   * @param known - the stored definitions, if the caller has read them
   */
  open(known?: KnownDefinitions): Promise<void> {
    this.opened ??= this.parts.catalog.open(known).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  /**
   * Allows claims or forbids them, as the process gets or loses its proof of life. The process then looks for missed
   * work of all tenants at once.
   */
  allowClaims(allowed: boolean): void {
    this.parts.state.on(allowed ? 'live' : 'away');
    this.services.announceServing();
    if (!allowed) return;
    this.parts.waiters.recheck();
    this.parts.schedules.live();
  }

  /** Stops claiming until {@link resumeClaiming}, and gives unstarted claims back. Running tasks continue. */
  pauseClaiming(): void {
    this.parts.state.on('pause');
    this.services.announceServing();
    this.parts.drain.giveBackWaiting();
  }

  resumeClaiming(): void {
    this.parts.state.on('resume');
    this.services.announceServing();
    this.claimAvailable();
  }

  /** Whether the tenant moves to another server, so that this process claims, begins and tidies nothing there. */
  get isMoving(): boolean {
    return this.parts.state.isMoving;
  }

  /**
   * Stops claiming and gives unstarted claims back, because the tenant moves to another server. Running tasks continue, and
   * their outcomes are recorded. Calls are sent on; while the schema refuses them, they are sent again.
   */
  stopForMove(): void {
    if (this.parts.state.isMoving) return;
    this.parts.state.setMoving(true);
    this.services.announceServing();
    this.parts.drain.giveBackWaiting();
  }

  /** Goes on after {@link stopForMove}: the move was undone, or has ended and the store leads to the other server. */
  goOnAfterMove(): void {
    if (!this.parts.state.isMoving) return;
    this.parts.state.setMoving(false);
    this.services.announceServing();
    this.claimAvailable();
    this.parts.waiters.recheck();
  }

  /** Claims tasks that are due while there is room. */
  claimAvailable(): void {
    this.parts.claimer.claimAvailable();
    this.parts.limited.look();
    this.parts.admitter.look();
  }

  /**
   * Call when another process has left work. Returns false if this process will not take any soon.
   *
   * @param isNamed - whether the other process named this one to take it
   */
  wakeUp(isNamed: boolean): boolean {
    this.parts.limited.look();
    this.parts.admitter.look();
    return this.parts.claimer.wake(isNamed);
  }

  /**
   * Ends executions whose workflow timeout has passed. Returns false if some are left, because another process enforces
   * timeouts now or holds their rows.
   */
  enforceDeadlines(): Promise<boolean> {
    return this.parts.timeouts.enforce();
  }

  /**
   * Call when signals or events may be stored and not delivered: wakes the tasks that listen for them, and starts what
   * events that others have delivered start.
   */
  deliverMessages(): void {
    this.parts.delivery.look();
    this.startByEvents();
  }

  /** Starts executions for delivered events. */
  startByEvents(): void {
    this.parts.eventStarter.look();
  }

  /** Deletes events that are kept no longer. */
  expireEvents(): Promise<void> {
    return this.parts.expiry.run();
  }

  /** Handlers that still run in this process a while after their signals were aborted. */
  hungHandlers(): HungHandler[] {
    return this.parts.overruns.hungHandlers();
  }

  /**
   * Compares the claims in memory with those in the database, and aborts the signals of claims that are gone. A
   * notification of another process may be late or forged, so it only triggers this comparison.
   */
  reconcileClaims(): void {
    this.parts.reconciler.request();
  }

  /** Call when the database may have gone back in time or lost a write: checks the lease, the claims and the caches. */
  doubt(): void {
    this.parts.lease.doubt();
    this.parts.reconciler.doubt();
  }

  /** Call when the schema was dropped and created again. */
  schemaReplaced(): void {
    this.logger.warn(
      `Tenant "${this.settings.tenant}": schema "${this.settings.schema}" was dropped and created again. The claims of this ` +
        'process in the old schema are gone; it continues with the new one.',
    );
    this.doubt();
    // After a failure, the next start that misses its definition stores all again.
    void this.restoreDeclared().catch(() => undefined);
  }

  /**
   * Stores again what the database has lost of that which this process has stored at its boot. Rejects after a failure; then
   * call it again.
   */
  async restoreDeclared(): Promise<void> {
    await this.parts.restore.look();
  }

  /**
   * Call when another process was found lost. It may have died between the end of an execution and the notification of
   * it, so the callers that wait here look for themselves.
   */
  processLost(): void {
    this.parts.waiters.recheck();
  }

  /** Call when the server has begun another life. A standby or a restored server may have lost the latest writes. */
  newLife(): void {
    if (this.claims.size > 0 || this.lease.mayStand) this.doubt();
  }

  /** Call when the tenant lives on another server: nothing that this process holds here counts there. */
  leaveServer(): void {
    this.leaseLost();
  }

  /** Call when another process has ended the lease. It takes this process for dead, so all claims here are lost. */
  leaseLost(): void {
    const { lease, claims, queue } = this.parts;
    lease.lost();
    for (const claim of claims.all()) claims.lose(claim);
    queue.removeQueued();
  }

  /**
   * Stops claiming, gives unstarted claims back, and waits for running handlers for up to `timeoutMs`. Then aborts
   * their signals and gives their tasks back. No task is lost and no attempt is charged.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { state, drain, release, retention } = this.parts;
    state.on('drain');
    this.services.announceServing();
    const stopped = retention.close();
    await drain.run(timeoutMs);
    await drain.withinGrace(RELEASE_GRACE_MS, stopped);
    await drain.withinGrace(RELEASE_GRACE_MS, release.runFor(RELEASE_GRACE_MS));
  }

  close(): void {
    const { state, queue, closing } = this.parts;
    state.on('close');
    this.services.slots.removeQueue(queue);
    for (const part of closing) part.close();
  }
}
