import { Logger } from '@nestjs/common';
import type { DueTime, KnownDefinitions, TenantStore } from '../store/port/index.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { OrphanReceiver } from './claims/orphan-receiver.js';
import type { CompletionWaiters } from './completion/completion-waiters.js';
import type { DefinitionCatalog } from './definitions/definition-catalog.js';
import type { HungHandler } from './execution/hung-handlers.js';
import type { ExecutionControl } from './execution-control.js';
import type { LeaseRelease } from './lease/lease-release.js';
import type { TenantLease } from './lease/tenant-lease.js';
import type { ProcessServices, TenantSettings } from './process-services.js';
import type { ExecutionStarts } from './starts/execution-starts.js';
import { wireEngine, type TenantEngineParts, type WiredEngine } from './wiring.js';
import type { Clock } from '../runtime/clock.js';

/** How long a drained tenant tries to delete its lease, in milliseconds. */
const RELEASE_GRACE_MS = 2_000;

/**
 * One tenant in this process: starts, claims, runs and records its work. This is what others ask of it; the parts that do
 * it are made and tied together in `wiring.ts`.
 */
export class TenantEngine {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
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

  get control(): ExecutionControl {
    return this.parts.control;
  }

  get starts(): ExecutionStarts {
    return this.parts.starts;
  }

  get orphans(): OrphanReceiver {
    return this.parts.orphans;
  }

  /** Whether claims are held or statements under way that may make some: then the lease has to stay. */
  get isBusy(): boolean {
    return this.parts.isBusy();
  }

  /**
   * Registers the definitions; once, and again if that failed. A start before the bootstrap does it already.
   *
   * @param known - what is stored, for a caller that has read it
   */
  open(known?: KnownDefinitions): Promise<void> {
    this.opened ??= this.parts.catalog.open(known).catch((error: unknown) => {
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
    this.parts.state.on(allowed ? 'live' : 'away');
    if (allowed) this.parts.waiters.recheck();
  }

  /** Claims nothing until {@link resumeClaiming} and gives back what has not begun; what runs goes on. */
  pauseClaiming(): void {
    this.parts.state.on('pause');
    this.parts.drain.giveBackWaiting();
  }

  resumeClaiming(): void {
    this.parts.state.on('resume');
    this.claimAvailable();
  }

  /** Claims what is due, as long as there is room. */
  claimAvailable(): void {
    this.parts.claimer.claimAvailable();
  }

  /** Ready tasks that this process did not claim: it does when it has capacity, and the others are told now. */
  wakeWorkers(): void {
    this.parts.wakeUps.wakeWorkers();
  }

  /** Something has become due, and maybe only this process knows. */
  workIsDue(): void {
    this.parts.wakeUps.workIsDue();
  }

  /** A task was put back, and becomes due in `ms` milliseconds. */
  dueIn(ms: number): void {
    this.parts.wakeUps.dueIn(ms);
  }

  /** Takes in what becomes due in the tenant, and when. */
  scheduleWakeUps(due: readonly DueTime[]): void {
    this.parts.wakeUps.schedule(due);
  }

  /**
   * Ends the executions whose workflow timeout has passed. False: some are left, since another process is at it, or
   * holds rows of theirs.
   */
  enforceDeadlines(): Promise<boolean> {
    return this.parts.timeouts.enforce();
  }

  /** Handlers in this process that go on though their signals were aborted a while ago. */
  hungHandlers(): HungHandler[] {
    return this.parts.overruns.hungHandlers();
  }

  /**
   * Asks the database which claims still stand. What another process says of its executions may be late, or not be true;
   * the signals of claims that are gone abort, and their outcomes are refused anyway.
   */
  reconcileClaims(): void {
    this.parts.reconciler.request();
  }

  /** The database may have gone back in time, or a statement of this process may be lost: nothing is taken for granted. */
  doubt(): void {
    this.parts.lease.doubt();
    this.parts.reconciler.doubt();
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

  /** The lease is gone, so others take this process for dead: whatever it holds is theirs. */
  leaseLost(): void {
    const { lease, claims, queue } = this.parts;
    lease.lost();
    for (const claim of claims.all()) claims.lose(claim);
    queue.removeQueued();
  }

  /**
   * Stops claiming, gives back what has not begun, waits for handlers up to `timeoutMs`, then aborts them and gives
   * their tasks back. Nothing is lost and no attempt is charged.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { state, drain, release } = this.parts;
    state.on('drain');
    await drain.run(timeoutMs);
    await drain.withinGrace(RELEASE_GRACE_MS, release.runFor(RELEASE_GRACE_MS));
  }

  close(): void {
    const { state, queue, closing } = this.parts;
    state.on('close');
    this.services.slots.removeQueue(queue);
    for (const part of closing) part.close();
  }
}
