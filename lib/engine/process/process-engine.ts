import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createServices } from './create-services.js';
import { tagOf, type Notification } from './notification.js';
import { Notifier } from './notifier.js';
import { LeaseNotices } from '../lease/lease-notices.js';
import { LeaseRenewals } from '../lease/lease-renewals.js';
import type { ProcessEngineOptions } from './process-engine-options.js';
import { ProcessTimers } from './process-timers.js';
import { SessionSupervisor } from './session-supervisor.js';
import { NotificationReactions } from './notification-reactions.js';
import { WorkCalls } from './work-calls.js';
import { QueuedBytes } from '../starts/queued-bytes.js';
import { BackgroundTurns } from '../../runtime/background-turns.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { ProcessServices } from '../process-services.js';
import type { Backlog } from '../../events/telemetry.js';
import type { EngineSession } from '../../store/port/index.js';

/** Pause before it is tried again to store what a database has lost that went back in time, in milliseconds. */
const RESTORE_AGAIN_MS = 5_000;

/**
 * This process on one database: its identity, its proof of life, and the work that it does for all its tenants together
 * (notifications, timers, leases), so that an idle tenant costs nothing.
 */
export class ProcessEngine<S extends EngineSession = EngineSession> {
  readonly processId: string = randomUUID();
  readonly processName = `${hostname()}:${process.pid}`;
  private readonly tenants = new Map<string, TenantEngine>();
  private readonly supervisor: SessionSupervisor<S>;
  private readonly notifier: Notifier;
  private readonly workCalls: WorkCalls;
  private readonly timers: ProcessTimers;
  private readonly leases: LeaseRenewals;
  private readonly notices: LeaseNotices;
  private readonly reactions: NotificationReactions;
  private readonly queuedBytes = new QueuedBytes();
  /** Stores again what the database has lost when it went back in time, of one tenant after the other. */
  private readonly restores = new BackgroundTurns<TenantEngine>((tenant) => this.restore(tenant));
  private claiming = false;
  /** The life of the server in which the latest session was opened; undefined before the first. */
  private lastEpoch: string | null | undefined;

  constructor(private readonly options: ProcessEngineOptions<S>) {
    const { clock } = options;
    this.supervisor = new SessionSupervisor({
      clock,
      open: (onLost) =>
        options.open(
          { id: this.processId },
          (payload, sender) => this.reactions.hear(payload, sender),
          onLost,
        ),
      onLive: (session) => {
        this.notify({ kind: 'processes' });
        // A notice may have been missed while there was no session.
        this.notices.heard();
        if (this.lastEpoch !== undefined && this.lastEpoch !== session.epoch) this.newLife();
        this.lastEpoch = session.epoch;
        this.allowClaims();
        // A lease names the life of the server in which the lock was taken, and that may have changed.
        void this.renewOnce();
        void this.sweepOnce();
      },
      onLost: () => this.allowClaims(),
    });
    this.leases = new LeaseRenewals({
      clock,
      leaseDurationMs: options.leaseDurationMs,
      tenants: () => this.tenants.values(),
      session: () => this.supervisor.session,
    });
    this.notices = new LeaseNotices({
      clock,
      mayHoldLease: () => [...this.tenants.values()].some(({ lease }) => lease.mayStand),
      hasLock: () => typeof this.supervisor.session?.lockSession === 'string',
      notify: () => this.notify({ kind: 'leases' }),
      onBegin: options.onWatch,
    });
    this.notifier = new Notifier((payloads) => {
      const { session } = this.supervisor;
      return session === undefined ? options.notify?.(payloads) : session.notify(payloads);
    });
    this.workCalls = new WorkCalls({
      clock,
      send: (notification) => this.notify(notification),
      peers: options.peers,
      askForWatch: () => this.notices.ask(),
      overdueMs: (address) => this.overdueMs(address),
    });
    this.reactions = new NotificationReactions({
      clock,
      tenant: (address) => this.tenants.get(address),
      onProcesses: options.onProcesses,
      onTenants: options.onTenants,
      onLeases: () => this.notices.heard(),
      onSwept: options.onSwept,
      tag: () => this.tag,
      passOn: (tenant) => {
        const { tag } = this;
        this.notify({ kind: 'work', tenant, ...(tag === undefined ? {} : { passedOnBy: tag }) });
      },
      onPassedOn: (tenant, tag) => this.workCalls.passedOn(tenant, tag),
    });
    this.timers = new ProcessTimers({
      clock,
      tenant: (address) => this.tenants.get(address),
      session: () => this.supervisor.session,
    });
  }

  /** The part of the process that tenants' engines use. */
  get services(): ProcessServices {
    const { options, queuedBytes, notices, workCalls, timers } = this;
    return createServices({
      options,
      process: { id: this.processId, name: this.processName },
      session: () => this.supervisor.session,
      queuedBytes,
      notices,
      workCalls,
      timers,
      renewLeases: () => void this.renewOnce(),
      notify: (notification) => this.notify(notification),
    });
  }

  /** The number of starts that wait for the database. */
  get queuedStarts(): number {
    return this.queuedBytes.count;
  }

  get session(): S | undefined {
    return this.supervisor.session;
  }

  /** Whether the processes watch each other now. */
  get isWatching(): boolean {
    return this.notices.isOn;
  }

  /** Has the other processes on this database look which processes are alive. */
  notifyProcesses(): void {
    this.notify({ kind: 'processes' });
  }

  /** Tells the other processes of a sweep that found nothing to do. */
  notifySwept(digest: string): void {
    this.notify({ kind: 'swept', digest });
  }

  /** Tells the other processes on this database that there may be a new tenant. */
  notifyTenants(): void {
    this.notify({ kind: 'tenants' });
  }

  /** All tenants. */
  get all(): TenantEngine[] {
    return [...this.tenants.values()];
  }

  /** The due tasks of all tenants. @throws if there is no control connection, or the statement fails */
  async backlog(): Promise<readonly Backlog[]> {
    const { session } = this.supervisor;
    if (session === undefined) throw new Error('There is no session with the database.');
    const tenants = [...this.tenants.values()];
    const found = await session.backlog(tenants.map(({ store }) => store.handle));
    return tenants.flatMap(({ settings: { tenant } }, i) => {
      const due = found[i];
      return due === undefined ? [] : [{ tenant, ...due }];
    });
  }

  /** The tenants with these names. */
  named(names: readonly string[]): TenantEngine[] {
    const wanted = new Set(names);
    return [...this.tenants.values()].filter(({ settings }) => wanted.has(settings.tenant));
  }

  /** Registers tenants that are about to be added, so that their notifications are not missed. */
  expect(engines: readonly TenantEngine[]): void {
    for (const engine of engines) this.tenants.set(engine.settings.address, engine);
  }

  /** Adds tenants that were opened together. The recovery pass of their boot looks for their work. */
  add(engines: readonly TenantEngine[]): void {
    for (const engine of engines) {
      this.tenants.set(engine.settings.address, engine);
      if (this.claiming) engine.allowClaims(this.supervisor.session !== undefined);
    }
  }

  remove(engine: TenantEngine): void {
    const tenant = engine.settings.address;
    this.tenants.delete(tenant);
    this.reactions.forget(engine);
    this.timers.clear(tenant);
    this.workCalls.clear(tenant);
  }

  /** Opens the control connection, the process's proof of life. Nothing is claimed yet. May follow a stop. */
  async start(): Promise<void> {
    await this.supervisor.start();
    this.leases.start();
    this.notices.start();
  }

  /** Lets the tenants claim from now on. */
  startClaiming(): void {
    this.claiming = true;
    this.allowClaims();
  }

  async stop(): Promise<void> {
    this.claiming = false;
    this.leases.stop();
    this.notices.stop();
    this.timers.close();
    this.workCalls.close();
    await this.supervisor.stop();
  }

  /** Renews the leases of the tenants in which the process has claims, and deletes the others. */
  renewOnce(): Promise<void> {
    return this.leases.runOnce();
  }

  /** The server has begun another life: the tenants compare their claims with the database. */
  private newLife(): void {
    for (const tenant of this.tenants.values()) tenant.newLife();
    this.restores.add(this.tenants.values());
    this.options.onNewLife();
  }

  private async restore(tenant: TenantEngine): Promise<void> {
    const isServed = (): boolean => this.tenants.get(tenant.settings.address) === tenant;
    if (!isServed()) return;
    try {
      await tenant.restoreDeclared();
    } catch {
      this.options.clock.timer(() => {
        if (isServed()) this.restores.add([tenant]);
      }, RESTORE_AGAIN_MS);
    }
  }

  /** Sweeps all tenants in a few statements. Tenants with due work claim it. */
  async sweepOnce(): Promise<void> {
    const { session } = this.supervisor;
    const tenants = [...this.tenants.values()];
    if (session === undefined || tenants.length === 0) return;
    try {
      const sweep = await session.sweep(tenants.map(({ store }) => store.handle));
      for (const [i, tenant] of tenants.entries()) {
        const due = sweep.tenants[i]?.due;
        // The tenant may have been removed or replaced since.
        const isServed = this.tenants.get(tenant.settings.address) === tenant;
        if (due === undefined || !isServed) continue;
        tenant.self.swept(due);
        tenant.wakeUps.schedule(due);
      }
    } catch {
      // The session has failed. The next one sweeps again.
    }
  }

  /** The name of this process in notifications; undefined without a lock. */
  private get tag(): string | undefined {
    const lock = this.supervisor.session?.lockSession;
    return lock === undefined || lock === null ? undefined : tagOf(lock);
  }

  /** Time since the tenant's first due task became due, in milliseconds; undefined if none is due. */
  private async overdueMs(address: string): Promise<number | undefined> {
    const { session } = this.supervisor;
    const tenant = this.tenants.get(address);
    if (session === undefined || tenant === undefined) return undefined;
    const [times] = await session.dueTimes([tenant.store.handle]);
    const due = times?.filter(({ kind, inMs }) => kind === 'task' && inMs <= 0) ?? [];
    return due.length === 0 ? undefined : -Math.min(...due.map(({ inMs }) => inMs));
  }

  private allowClaims(): void {
    const allowed = this.claiming && this.supervisor.session !== undefined;
    for (const tenant of this.tenants.values()) tenant.allowClaims(allowed);
  }

  private notify(notification: Notification): void {
    this.notifier.notify(notification);
  }
}
