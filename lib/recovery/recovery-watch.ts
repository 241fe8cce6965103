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
/** Leases are judged this many times in their duration. */
const PASSES_PER_LEASE = 3;

export interface RecoveryWatchOptions {
  readonly processId: string;
  readonly lockKeyOf: (processId: string) => number;
  readonly leaseDurationMs: number;
  /** Undefined while the control connection is away. */
  readonly session: () => RecoverySession | undefined;
}

/**
 * Finds lost processes and recovers their tasks, for all tenants of one login.
 *
 * The locks are looked at about twice a second while any process but this one is known; one that is gone is followed
 * by a pass over the leases of all tenants. The same pass runs at boot, a few times in the duration of a lease, and
 * when it is asked for.
 */
export class RecoveryWatch {
  private readonly logger = new Logger('CloacinaRecovery');
  private readonly tenants = new Map<string, TenantRecovery>();
  private known = new Set<number>();
  private looking: NodeJS.Timeout | undefined;
  private passing: NodeJS.Timeout | undefined;
  private stopped = true;
  private readonly reported = new Set<string>();
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
    if (session === undefined || session.epoch === null) return;
    const living = await session.livingKeys();
    living.delete(this.ownKey);
    const gone = [...this.known].some((key) => !living.has(key));
    this.known = living;
    if (gone) await this.runOnce('lockGone');
  }

  /** One pass: every lease of the tenants is judged, and what the dead left is taken. */
  async runOnce(
    cause: RecoveryCause,
    only: readonly string[] = [...this.tenants.keys()],
  ): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    const session = this.options.session();
    if (session === undefined) return report;
    const tenants = only
      .map((name) => this.tenants.get(name))
      .filter((tenant) => tenant?.parts.enableRecovery === true)
      .filter((tenant) => tenant !== undefined);
    const dead = await this.findDead(session, tenants);
    await Promise.all(
      tenants.map(async (tenant, i) => {
        try {
          addTo(
            report,
            await this.recoverTenant(
              session,
              tenant,
              dead.filter(({ lease }) => lease.tenant === i),
              cause,
            ),
          );
          this.reported.delete(tenant.parts.tenant);
        } catch (error) {
          this.report(tenant.parts.tenant, error);
        }
      }),
    );
    return report;
  }

  private async recoverTenant(
    session: RecoverySession,
    tenant: TenantRecovery,
    dead: readonly { lease: LeaseRow; verdict: Verdict; connected: boolean }[],
    cause: RecoveryCause,
  ): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    for (const { lease, verdict } of dead) {
      const over = verdict === 'leaseOver';
      const lockKey = this.options.lockKeyOf(lease.processId);
      const mine = await tenant.parts.store.endLease(lease.instanceId, {
        over,
        lockEpoch: lease.lockEpoch,
        lockKey,
      });
      if (!mine) continue;
      // Best effort: what the dead process's connections hold would keep its rows locked.
      await session.terminate(lease.processId).catch(() => undefined);
      const why = cause === 'boot' || cause === 'manual' ? cause : over ? 'leaseOver' : 'lockGone';
      addTo(
        report,
        await tenant.take(
          {
            instanceId: lease.instanceId,
            name: lease.name,
            orphanedForMs: over ? lease.overForMs : SECOND_LOOK_MS,
          },
          why,
        ),
      );
    }
    addTo(report, await tenant.takeUnleased(cause));
    return report;
  }

  /** Leases of other processes, judged twice when a lock is missing. */
  private async findDead(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
  ): Promise<{ lease: LeaseRow; verdict: Verdict; connected: boolean }[]> {
    const tables = tenants.map((tenant) => tenant.parts.store.tables);
    if (tables.length === 0) return [];
    const leases = await this.leasesOf(session, tenants);
    if (leases.length === 0) return [];
    let found = await this.judgeAll(session, leases);
    if (found.some(({ verdict }) => verdict === 'lockGone')) {
      await delay(SECOND_LOOK_MS);
      const suspects = new Set(found.map(({ lease }) => lease.instanceId));
      found = await this.judgeAll(
        session,
        leases.filter(({ instanceId }) => suspects.has(instanceId)),
      );
    }
    return found;
  }

  /** All together; one broken schema makes that fail, and then each is asked by itself. */
  private async leasesOf(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
  ): Promise<LeaseRow[]> {
    const others = (leases: readonly LeaseRow[]): LeaseRow[] =>
      leases.filter(({ processId }) => processId !== this.options.processId);
    try {
      return others(await session.leases(tenants.map(({ parts }) => parts.store.tables)));
    } catch {
      const leases: LeaseRow[] = [];
      for (const [i, { parts }] of tenants.entries()) {
        try {
          const own = await session.leases([parts.store.tables]);
          leases.push(...others(own).map((lease) => ({ ...lease, tenant: i })));
        } catch (error) {
          this.report(parts.tenant, error);
        }
      }
      return leases;
    }
  }

  private async judgeAll(
    session: RecoverySession,
    leases: readonly LeaseRow[],
  ): Promise<{ lease: LeaseRow; verdict: Verdict; connected: boolean }[]> {
    const living = await session.livingKeys();
    const missing = leases.some(({ processId }) => !living.has(this.options.lockKeyOf(processId)));
    const connected = missing ? await session.connectedProcesses() : new Set<string>();
    const vantage = this.vantage(session);
    return leases
      .map((lease) => ({
        lease,
        connected: connected.has(lease.processId),
        verdict: judge(
          {
            lockEpoch: lease.lockEpoch,
            lockHeld: living.has(this.options.lockKeyOf(lease.processId)),
            connected: connected.has(lease.processId),
            over: lease.overForMs >= 0,
          },
          vantage,
        ),
      }))
      .filter(({ verdict }) => verdict === 'lockGone' || verdict === 'leaseOver');
  }

  private vantage(session: RecoverySession): Vantage {
    this.firstSession ??= session;
    const { leaseDurationMs } = this.options;
    const longEnough = session === this.firstSession || session.ageMs >= leaseDurationMs;
    return {
      epoch: session.epoch,
      epochAgeMs: session.epochAgeMs,
      mayJudgeLeases: longEnough && session.epochAgeMs >= leaseDurationMs,
    };
  }

  /** Once for each time that it breaks: a schema that somebody dropped must not fill the log. */
  private report(tenant: string, error: unknown): void {
    if (this.reported.has(tenant)) return;
    this.reported.add(tenant);
    this.logger.error(
      `Tenant "${tenant}": recovery failed and will be tried again: ${toStoredError(error).message}`,
    );
  }

  private planLook(): void {
    this.looking = setTimeout(() => {
      const looked = this.known.size > 0 ? this.lookOnce() : Promise.resolve();
      void looked
        .catch(() => undefined)
        .finally(() => {
          if (!this.stopped) this.planLook();
        });
    }, LOOK_INTERVAL_MS).unref();
  }

  private planPass(): void {
    const pause = (this.options.leaseDurationMs / PASSES_PER_LEASE) * (0.9 + Math.random() / 5);
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
