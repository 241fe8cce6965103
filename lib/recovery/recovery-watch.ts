import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { toStoredError } from '../errors/index.js';
import type { LeaseRow } from '../store/store.js';
import type { RecoverySession } from './recovery-session.js';
import {
  addTo,
  TenantRecovery,
  type RecoverableTenant,
  type RecoveryCause,
  type RecoveryReport,
} from './tenant-recovery.js';
import { judge, type Vantage, type Verdict } from './verdict.js';

/** How often the locks are looked at while others are known, in milliseconds. */
const LOOK_INTERVAL_MS = 400;
/** A lock that is missing has to be missing again after so long, in milliseconds. */
const SECOND_LOOK_MS = 250;
/** Leases are judged this many times in their duration, or somewhat more often. */
const PASSES_PER_LEASE = 3;
/** How long each look is followed by a pass while it isn't certain what a missing lock means, in milliseconds. */
const SUSPICION_MS = 15_000;

export interface RecoveryWatchOptions {
  readonly processId: string;
  readonly lockKeyOf: (processId: string) => number;
  readonly leaseDurationMs: number;
  /** Undefined while the control connection is away. */
  readonly session: () => RecoverySession | undefined;
  /** A process has gone, and with it what it alone knew: when its retries and deferrals become due. */
  readonly onGone: () => void;
}

/** A lease whose process is lost. */
interface Found {
  readonly lease: LeaseRow;
  readonly verdict: Verdict;
}

/**
 * Finds lost processes and recovers their tasks, for all tenants of one login.
 *
 * The locks are looked at about twice a second while any process but this one is known; one that is gone is followed
 * by a pass over the leases of all tenants, and by another one as long as it isn't certain what that means. The same
 * pass runs at boot, a few times in the duration of a lease, and when it is asked for.
 */
export class RecoveryWatch {
  private readonly logger = new Logger('CloacinaRecovery');
  private readonly tenants = new Map<string, TenantRecovery>();
  private known = new Set<number>();
  /** Locks that are gone and not accounted for, and when that was noticed. */
  private readonly missing = new Map<number, number>();
  /** When each lock was last seen. */
  private readonly seen = new Map<number, number>();
  /** A pass has to be made once more: rows were locked, or the database failed meanwhile. */
  private unfinishedSince: number | undefined;
  private looking: NodeJS.Timeout | undefined;
  private passing: NodeJS.Timeout | undefined;
  private stopped = true;
  private readonly reported = new Set<string>();
  /** When the database was last seen to take no writes: nobody can have renewed a lease. */
  private readOnlyAt = -Infinity;
  private readonly ownKey: number;
  /** The first session counts from the boot: leases that were over before it are anybody's to judge. */
  private firstSession: RecoverySession | undefined;

  constructor(private readonly options: RecoveryWatchOptions) {
    this.ownKey = options.lockKeyOf(options.processId);
  }

  add(tenant: RecoverableTenant): TenantRecovery {
    const recovery = new TenantRecovery(tenant);
    this.tenants.set(tenant.tenant, recovery);
    return recovery;
  }

  remove(tenant: string): void {
    this.tenants.delete(tenant);
  }

  start(): void {
    this.stopped = false;
    this.firstSession = this.options.session();
    this.planLook();
    this.planPass();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.looking);
    clearTimeout(this.passing);
  }

  /** Another process has appeared: from now on its lock is looked for. */
  async greet(): Promise<void> {
    await this.lookOnce().catch(() => undefined);
  }

  /** One look at the locks; a pass if one is gone that was there. */
  async lookOnce(): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    if (session.epoch !== null) await this.lookAtLocks(session);
    if (this.missing.size > 0 || this.unfinishedSince !== undefined) await this.runOnce('lockGone');
  }

  private async lookAtLocks(session: RecoverySession): Promise<void> {
    const living = await session.livingKeys();
    living.delete(this.ownKey);
    const now = performance.now();
    let gone = false;
    for (const key of this.known) {
      if (living.has(key) || this.missing.has(key)) continue;
      this.missing.set(key, now);
      gone = true;
    }
    for (const [key, since] of this.missing) {
      if (living.has(key) || now - since > SUSPICION_MS) this.missing.delete(key);
    }
    for (const key of living) this.seen.set(key, now);
    this.known = living;
    if (gone) this.options.onGone();
  }

  /** One pass: every lease of the tenants is judged, and what the dead left is taken. */
  async runOnce(
    cause: RecoveryCause,
    only: readonly string[] = [...this.tenants.keys()],
  ): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    const session = this.options.session();
    const tenants = only
      .map((name) => this.tenants.get(name))
      .filter((tenant) => tenant?.parts.enableRecovery === true)
      .filter((tenant) => tenant !== undefined);
    const all = only.length === this.tenants.size;
    if (session === undefined) this.noteUnfinished(true);
    if (session === undefined || tenants.length === 0) return report;
    const accounted = new Set(this.missing.keys());
    const unfinished = new Set<string>();
    const found = await this.findDead(session, tenants, accounted);
    const ended = await Promise.all(
      tenants.map(async (tenant, i) => {
        const dead = found[i];
        if (dead === undefined) return;
        try {
          for (const one of dead) addTo(report, await this.recover(session, tenant, one, cause));
        } catch (error) {
          unfinished.add(tenant.parts.tenant);
          this.report(tenant.parts.tenant, error, tenant.parts.store.failureKind(error));
        }
      }),
    ).then(() => this.takeUnleased(session, tenants, cause, report, unfinished));
    for (const tenant of ended) if (!unfinished.has(tenant)) this.reported.delete(tenant);
    if (all) for (const key of accounted) this.missing.delete(key);
    if (all || unfinished.size > 0) this.noteUnfinished(unfinished.size > 0);
    return report;
  }

  private async recover(
    session: RecoverySession,
    tenant: TenantRecovery,
    { lease, verdict }: Found,
    cause: RecoveryCause,
  ): Promise<RecoveryReport> {
    const over = verdict === 'leaseOver';
    const lockKey = this.options.lockKeyOf(lease.processId);
    const mine = await tenant.parts.store.recovery.endLease(lease.instanceId, {
      over,
      lockEpoch: lease.lockEpoch,
      lockKey,
    });
    if (!mine) return { recovered: 0, abandoned: 0, blocked: 0 };
    // Best effort: what the dead process's connections hold would keep its rows locked.
    await session.terminate(lease.processId).catch(() => undefined);
    const why = cause === 'boot' || cause === 'manual' ? cause : over ? 'leaseOver' : 'lockGone';
    const { instanceId, name } = lease;
    const orphanedForMs = over ? lease.overForMs : this.missingForMs(lockKey);
    return tenant.take({ instanceId, name, orphanedForMs }, why);
  }

  /** Since its lock was last seen; if this process has never seen it, since it was first missed. */
  private missingForMs(lockKey: number): number {
    const seen = this.seen.get(lockKey);
    return seen === undefined ? SECOND_LOOK_MS : performance.now() - seen;
  }

  /**
   * What interrupted recoveries left, and rows that were locked. Returns the tenants that could be asked: the others
   * are reported.
   */
  private async takeUnleased(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
    cause: RecoveryCause,
    report: RecoveryReport,
    unfinished: Set<string>,
  ): Promise<string[]> {
    const owners = await session.unleasedOwners(tenants.map(({ parts }) => parts.store.tables));
    await Promise.all(
      tenants.map(async (tenant, i) => {
        const lost = owners[i]?.filter((id) => id !== tenant.parts.ownInstanceId()) ?? [];
        if (lost.length === 0) return;
        // Whether all of it could be taken shows in the next pass.
        unfinished.add(tenant.parts.tenant);
        try {
          addTo(report, await tenant.takeUnleased(lost, cause));
        } catch (error) {
          this.report(tenant.parts.tenant, error, tenant.parts.store.failureKind(error));
        }
      }),
    );
    for (const [i, { parts }] of tenants.entries()) {
      if (owners[i] === undefined) this.report(parts.tenant, BROKEN, 'refused');
    }
    return tenants.filter((_, i) => owners[i] !== undefined).map(({ parts }) => parts.tenant);
  }

  /**
   * Leases of lost processes, by index of the tenant; undefined where the schema is broken. Judged twice when a lock is
   * missing. Leaves in `accounted` the missing locks of which no lease says that it is uncertain.
   */
  private async findDead(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
    accounted: Set<number>,
  ): Promise<(Found[] | undefined)[]> {
    const read = await session.leases(tenants.map(({ parts }) => parts.store.tables));
    const others = read.flatMap((leases, tenant) =>
      (leases ?? [])
        .filter(({ processId }) => processId !== this.options.processId)
        .map((lease) => ({ ...lease, tenant })),
    );
    if (others.some(({ readOnly }) => readOnly)) this.readOnlyAt = performance.now();
    let judged = others.length === 0 ? [] : await this.judgeAll(session, others);
    if (judged.some(({ verdict }) => verdict === 'lockGone')) {
      await delay(SECOND_LOOK_MS);
      const before = new Map(judged.map(({ lease, verdict }) => [lease, verdict]));
      judged = (await this.judgeAll(session, others)).map((found) =>
        found.verdict === 'lockGone' && before.get(found.lease) !== 'lockGone'
          ? { ...found, verdict: 'unsure' as const }
          : found,
      );
    }
    const now = performance.now();
    for (const { lease, verdict } of judged) {
      if (verdict !== 'unsure' || lease.lockEpoch === null) continue;
      const key = this.options.lockKeyOf(lease.processId);
      if (!this.missing.has(key) && session.epoch !== null) this.missing.set(key, now);
      accounted.delete(key);
    }
    return read.map((leases, tenant) =>
      leases === undefined
        ? undefined
        : judged.filter(({ lease, verdict }) => lease.tenant === tenant && isLost(verdict)),
    );
  }

  private async judgeAll(session: RecoverySession, leases: readonly LeaseRow[]): Promise<Found[]> {
    const living = await session.livingKeys();
    const missing = leases.some(({ processId }) => !living.has(this.options.lockKeyOf(processId)));
    const connected = missing ? await session.connectedProcesses() : new Set<string>();
    return leases.map((lease) => ({
      lease,
      verdict: judge(
        {
          lockEpoch: lease.lockEpoch,
          lockHeld: living.has(this.options.lockKeyOf(lease.processId)),
          connected: connected.has(lease.processId),
          over: lease.overForMs >= 0,
        },
        this.vantage(session, lease),
      ),
    }));
  }

  private vantage(session: RecoverySession, { lockEpoch }: LeaseRow): Vantage {
    const { leaseDurationMs } = this.options;
    const sinceBoot = session === this.firstSession && !session.interrupted;
    const epochAgeMs = session.lifeAgeMs(lockEpoch);
    return {
      epoch: session.epoch,
      epochAgeMs,
      mayJudgeLeases:
        (sinceBoot || session.ageMs >= leaseDurationMs) &&
        epochAgeMs >= leaseDurationMs &&
        performance.now() - this.readOnlyAt >= leaseDurationMs,
    };
  }

  /** Looks are followed by passes for a while; what is left then is the regular passes' business. */
  private noteUnfinished(unfinished: boolean): void {
    const now = performance.now();
    if (!unfinished) this.unfinishedSince = undefined;
    else if (this.unfinishedSince === undefined) this.unfinishedSince = now;
    else if (now - this.unfinishedSince > SUSPICION_MS) this.unfinishedSince = undefined;
  }

  /** Once for each time that it breaks: a schema that somebody dropped must not fill the log. */
  private report(tenant: string, error: unknown, kind: string): void {
    // A connection that failed is no fault of the tenant's, and rows that are locked are taken in the next pass.
    if (kind === 'connection' || kind === 'conflict' || this.reported.has(tenant)) return;
    this.reported.add(tenant);
    this.logger.error(
      `Tenant "${tenant}": recovery failed and will be tried again: ${toStoredError(error).message}`,
    );
  }

  private planLook(): void {
    this.looking = setTimeout(() => {
      const due =
        this.known.size > 0 || this.missing.size > 0 || this.unfinishedSince !== undefined;
      const looked = due ? this.lookOnce() : Promise.resolve();
      void looked
        .catch(() => undefined)
        .finally(() => {
          if (!this.stopped) this.planLook();
        });
    }, LOOK_INTERVAL_MS).unref();
  }

  private planPass(): void {
    const pause = (this.options.leaseDurationMs / PASSES_PER_LEASE) * (0.8 + Math.random() / 5);
    this.passing = setTimeout(() => {
      void this.greet()
        .then(() => this.runOnce('leaseOver'))
        .catch(() => undefined)
        .finally(() => {
          if (!this.stopped) this.planPass();
        });
    }, pause).unref();
  }
}

const BROKEN = new Error(
  "Its leases and claims can't be read: are the tables there, and granted to this login?",
);

function isLost(verdict: Verdict): boolean {
  return verdict === 'lockGone' || verdict === 'leaseOver';
}
