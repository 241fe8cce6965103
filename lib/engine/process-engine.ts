import { hostname } from 'node:os';
import { v4 as uuid } from 'uuid';
import type { DueTimes, HeldLease, TenantTables } from '../store/store.js';
import {
  Announcer,
  decodeAnnouncement,
  encodeAnnouncement,
  type Announcement,
} from './announcer.js';
import { DueTimers } from './due-timers.js';
import { Liveness, type ControlSession } from './liveness.js';
import type { RunQueue } from './run-queue.js';
import type { TenantEngine } from './tenant-engine.js';
import type { ProcessServices } from './tenant-parts.js';

/** How often all tenants are asked what is due, in case a notification got lost; moved about to keep processes apart. */
const SWEEP_INTERVAL_MS = 15_000;
/** Leases are renewed this many times in their duration. */
const RENEWALS_PER_LEASE = 3;

/** What the engine asks of the control connection. */
export interface EngineSession extends ControlSession {
  notify(payloads: readonly string[]): Promise<void>;
  /** By index: whether the lease was still there; undefined where the schema is broken. */
  renew(
    leases: readonly HeldLease[],
    epoch: string | null,
    leaseDurationMs: number,
  ): Promise<(boolean | undefined)[]>;
  dueTimes(tenants: readonly TenantTables[]): Promise<(DueTimes | undefined)[]>;
}

export interface ProcessEngineOptions<S extends EngineSession> {
  readonly slots: RunQueue;
  readonly leaseDurationMs: number;
  /** Another process has appeared on this database. */
  readonly onHello: () => void;
  readonly open: (
    process: { readonly id: string; readonly lockKey: number },
    onPayload: (payload: string) => void,
    onLost: (error: Error | undefined) => void,
  ) => Promise<S>;
}

/**
 * This process on one database: its identity, its proof of life, and what it does for all its tenants at once (
 * wake-ups, timers, leases), so that a tenant that has nothing to do costs nothing.
 */
export class ProcessEngine<S extends EngineSession = EngineSession> {
  readonly processId = uuid();
  readonly processName = `${hostname()}:${process.pid}`;
  private readonly tenants = new Map<string, TenantEngine>();
  private readonly liveness: Liveness<S>;
  private readonly announcer: Announcer;
  private readonly tasksDue: DueTimers;
  private readonly deadlinesDue: DueTimers;
  private renewal: NodeJS.Timeout | undefined;
  private sweep: NodeJS.Timeout | undefined;
  private claiming = false;

  constructor(private readonly options: ProcessEngineOptions<S>) {
    this.liveness = new Liveness({
      open: (onLost) =>
        options.open(
          { id: this.processId, lockKey: lockKeyOf(this.processId) },
          (payload) => this.hear(payload),
          onLost,
        ),
      onLive: () => {
        this.announce({ kind: 'hello', tenant: '' });
        this.allowClaims();
        // The leases say in which life of the server the lock was taken; this may be another one.
        void this.renewOnce();
        void this.sweepOnce();
      },
      onLost: () => this.allowClaims(),
    });
    this.announcer = new Announcer((payloads) => this.liveness.session?.notify(payloads));
    this.tasksDue = new DueTimers((tenant) => {
      this.tenants.get(tenant)?.workIsDue();
      void this.lookAhead(tenant);
    });
    this.deadlinesDue = new DueTimers((tenant) => void this.enforceDeadlines(tenant));
  }

  /** What a tenant's engine gets to see of the process. */
  get services(): ProcessServices {
    return {
      slots: this.options.slots,
      identity: () => ({
        processId: this.processId,
        name: this.processName,
        lockEpoch: this.liveness.session?.epoch ?? null,
      }),
      announceWork: (tenant) => this.announce({ kind: 'work', tenant }),
      workPayload: (tenant) => encodeAnnouncement({ kind: 'work', tenant }),
      announceCancel: (tenant, executionId) =>
        this.announce({ kind: 'cancelled', tenant, executionId }),
      announcePause: (tenant, executionId) =>
        this.announce({ kind: 'paused', tenant, executionId }),
      announceEnd: (tenant, executionId) => this.announce({ kind: 'ended', tenant, executionId }),
      wakeIn: (tenant, ms) => this.tasksDue.wakeIn(tenant, ms),
      deadlineIn: (tenant, ms) => this.deadlinesDue.wakeIn(tenant, ms),
    };
  }

  get session(): S | undefined {
    return this.liveness.session;
  }

  /** Tenants that were opened together: whether they have work is asked in few statements, not by a claim in each. */
  add(engines: readonly TenantEngine[]): void {
    for (const engine of engines) {
      this.tenants.set(engine.settings.address, engine);
      if (this.claiming) engine.allowClaims(this.liveness.session !== undefined);
    }
    if (this.claiming) void this.sweepOnce(engines);
  }

  remove(engine: TenantEngine): void {
    const tenant = engine.settings.address;
    this.tenants.delete(tenant);
    this.tasksDue.clear(tenant);
    this.deadlinesDue.clear(tenant);
  }

  /** Connects, so that the process is known to live; nothing is claimed yet. */
  async start(): Promise<void> {
    await this.liveness.start();
    this.renewal = setInterval(
      () => void this.renewOnce(),
      this.options.leaseDurationMs / RENEWALS_PER_LEASE,
    );
    this.renewal.unref();
    this.planSweep();
  }

  /** From now on the tenants claim. */
  startClaiming(): void {
    this.claiming = true;
    this.allowClaims();
    void this.sweepOnce();
  }

  async stop(): Promise<void> {
    this.claiming = false;
    clearInterval(this.renewal);
    clearTimeout(this.sweep);
    this.tasksDue.close();
    this.deadlinesDue.close();
    this.announcer.close();
    await this.liveness.stop();
  }

  /** Renews the leases of the tenants in which claims are held, and lets go of those of the others. */
  async renewOnce(): Promise<void> {
    const { session } = this.liveness;
    if (session === undefined) return;
    const tenants = [...this.tenants.values()].filter((tenant) => tenant.lease.mayStand);
    // Claims that a comparison brought have a lease that this process may not have been told of.
    const leases = tenants
      .filter(({ isBusy, lease, claims }) => isBusy && (lease.isHeld || claims.size > 0))
      .map((tenant) => ({
        tenant,
        tables: tenant.store.tables,
        instanceId: tenant.lease.instanceId,
      }));
    for (const tenant of tenants) void tenant.releaseIdleLease();
    if (leases.length === 0) return;
    try {
      const renewed = await session.renew(leases, session.epoch, this.options.leaseDurationMs);
      for (const [i, { tenant, instanceId }] of leases.entries()) {
        if (renewed[i] === true) {
          tenant.lease.found(instanceId);
          tenant.compareClaims();
        } else if (renewed[i] === false && tenant.lease.instanceId === instanceId) {
          tenant.leaseLost();
        }
      }
    } catch {
      // The session is ending and will be opened again: the leases run on until then.
    }
  }

  /** Asks all tenants what is due, in few statements; those who have something claim it. */
  async sweepOnce(tenants: readonly TenantEngine[] = [...this.tenants.values()]): Promise<void> {
    const { session } = this.liveness;
    if (session === undefined || tenants.length === 0) return;
    try {
      const times = await session.dueTimes(tenants.map(({ store }) => store.tables));
      for (const [i, tenant] of tenants.entries()) {
        const { address } = tenant.settings;
        // It may have been removed meanwhile, and another one may have its place.
        if (this.tenants.get(address) !== tenant) continue;
        if (times[i]?.taskIsDue === true) tenant.dispatch();
        this.plan(address, times[i]);
      }
    } catch {
      // As above.
    }
  }

  private planSweep(): void {
    this.sweep = setTimeout(
      () => void this.sweepOnce().finally(() => this.planSweep()),
      SWEEP_INTERVAL_MS * (0.75 + Math.random() / 2),
    );
    this.sweep.unref();
  }

  private async lookAhead(address: string): Promise<void> {
    const tenant = this.tenants.get(address);
    const { session } = this.liveness;
    if (tenant === undefined || session === undefined) return;
    try {
      const [times] = await session.dueTimes([tenant.store.tables]);
      this.plan(address, times);
    } catch {
      // The next sweep looks again.
    }
  }

  private plan(address: string, times: DueTimes | undefined): void {
    if (times === undefined) return;
    const { nextTaskInMs, nextDeadlineInMs } = times;
    if (nextTaskInMs !== null) this.tasksDue.wakeIn(address, nextTaskInMs);
    if (nextDeadlineInMs !== null) this.deadlinesDue.wakeIn(address, nextDeadlineInMs);
  }

  private async enforceDeadlines(address: string): Promise<void> {
    try {
      await this.tenants.get(address)?.enforceDeadlines();
      await this.lookAhead(address);
    } catch {
      this.deadlinesDue.wakeIn(address, 1_000);
    }
  }

  private allowClaims(): void {
    const allowed = this.claiming && this.liveness.session !== undefined;
    for (const tenant of this.tenants.values()) tenant.allowClaims(allowed);
  }

  private announce(announcement: Announcement): void {
    this.announcer.announce(announcement);
  }

  private hear(payload: string): void {
    const announcement = decodeAnnouncement(payload);
    if (announcement?.kind === 'hello') {
      this.options.onHello();
      return;
    }
    const tenant = announcement && this.tenants.get(announcement.tenant);
    if (announcement === undefined || tenant === undefined) return;
    if (announcement.kind === 'work') tenant.dispatch();
    else if (announcement.kind === 'ended') tenant.waiters.ended(announcement.executionId);
    else if (announcement.kind === 'paused') tenant.executionPaused(announcement.executionId);
    else tenant.cancelledElsewhere(announcement.executionId);
  }
}

/** Half of an advisory lock's key: 31 bits of the process's random id. */
export function lockKeyOf(processId: string): number {
  return Number.parseInt(processId.slice(0, 8), 16) & 0x7fffffff;
}
