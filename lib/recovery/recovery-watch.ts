import { PeerLocks } from './peer-locks.js';
import { FailureDetector } from './failure-detector.js';
import { RecoveryPass } from './recovery-pass.js';
import {
  TENANTS_PER_PART,
  type MaintenancePass,
  type MaintenanceSweep,
} from '../maintenance/sweep.js';
import {
  TenantRecovery,
  type RecoverableTenant,
  type RecoveryCause,
  type RecoveryReport,
} from './tenant-recovery.js';
import type { RecoverySession } from '../store/port/index.js';
import type { Clock } from '../runtime/clock.js';

/** How often the locks are looked at while others are known, in milliseconds. */
const LOOK_INTERVAL_MS = 400;

export interface RecoveryWatchOptions {
  readonly clock: Clock;
  readonly processId: string;
  readonly leaseDurationMs: number;
  /** Undefined while the control connection is away. */
  readonly session: () => RecoverySession | undefined;
  /** Goes the rounds, in which this is one pass. */
  readonly sweep: MaintenanceSweep;
}

/**
 * Finds lost processes and recovers their tasks, for all tenants of one login, and finds what is due that no process was
 * told of.
 *
 * It is a pass of the rounds over the tenants, one statement for fifty of them. While any process but this one is known,
 * the locks are looked at about twice a second, with such a statement or by themselves;
 * one that is gone is followed by a pass over the leases of all tenants, and by another one as long as it isn't certain
 * what that means. The same pass runs at boot and when it is asked for.
 */
export class RecoveryWatch implements MaintenancePass {
  private readonly tenants = new Map<string, TenantRecovery>();
  private readonly locks: PeerLocks;
  private readonly judge: FailureDetector;
  private readonly pass: RecoveryPass;

  constructor(private readonly options: RecoveryWatchOptions) {
    this.locks = new PeerLocks(options.clock);
    this.judge = new FailureDetector(options, this.locks);
    this.pass = new RecoveryPass(this.judge, this.locks, options);
    options.sweep.register(this);
  }

  add(tenant: RecoverableTenant): TenantRecovery {
    const recovery = new TenantRecovery(tenant);
    this.tenants.set(tenant.tenant, recovery);
    this.options.sweep.add(tenant.tenant);
    return recovery;
  }

  remove(name: string): void {
    const tenant = this.tenants.get(name);
    this.tenants.delete(name);
    this.options.sweep.remove(name);
    if (tenant === undefined) return;
    tenant.stop();
    this.pass.forget(tenant);
  }

  /** The session with which the process boots: leases that were over before it may be judged. */
  bootedWith(session: RecoverySession | undefined): void {
    this.judge.bootedWith(session);
  }

  /** Another process has appeared: from now on its lock is looked for. */
  async greet(): Promise<void> {
    await this.lookOnce().catch(() => undefined);
  }

  /** One look at the locks; a pass if one is gone that was there. */
  async lookOnce(): Promise<void> {
    try {
      await this.look();
    } finally {
      this.options.sweep.plan();
    }
  }

  /** One pass: every lease of the tenants is judged, and what the dead left is taken. */
  async runOnce(
    cause: RecoveryCause,
    only: readonly string[] = [...this.tenants.keys()],
  ): Promise<RecoveryReport> {
    const tenants = this.named(only);
    const session = this.options.session();
    try {
      if (session !== undefined) {
        const report = await this.passOver(session, tenants, cause);
        if (cause === 'boot') void this.lookForWork(tenants).catch(() => undefined);
        return report;
      }
      for (const tenant of tenants) this.pass.note(tenant, true);
      return { recovered: 0, abandoned: 0, blocked: 0 };
    } finally {
      this.options.sweep.plan();
    }
  }

  /** What the tenants have to do that were just opened: a boot doesn't wait for the answers of a thousand. */
  private async lookForWork(tenants: readonly TenantRecovery[]): Promise<void> {
    for (let i = 0; i < tenants.length; i += TENANTS_PER_PART) {
      const session = this.options.session();
      const part = this.stillServed(tenants.slice(i, i + TENANTS_PER_PART));
      if (session !== undefined) await this.passOver(session, part, 'leaseOver');
    }
  }

  private stillServed(tenants: readonly TenantRecovery[]): TenantRecovery[] {
    return tenants.filter((tenant) => this.tenants.get(tenant.parts.tenant) === tenant);
  }

  private passOver(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
    cause: RecoveryCause,
  ): Promise<RecoveryReport> {
    return this.pass.run({ session, tenants, cause, all: tenants.length === this.tenants.size });
  }

  private async lookAtLocks(session: RecoverySession): Promise<void> {
    // A process without a control connection holds no lock, and this process would not know of its own.
    if (session.epoch === null) return;
    this.locks.look(await session.livingLocks(), session.lockSession);
  }

  /** Passes for what a look or an earlier pass has left open. */
  private async follow(session: RecoverySession): Promise<void> {
    const { unfinished } = this.pass;
    if (this.locks.anyMissing) await this.passOver(session, [...this.tenants.values()], 'lockGone');
    else if (unfinished.length > 0) await this.passOver(session, unfinished, 'lockGone');
  }

  /** A part of the round, with a look at the locks in it. */
  async over(names: readonly string[]): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    await this.passOver(session, this.named(names), 'leaseOver');
    await this.follow(session);
  }

  get lookEveryMs(): number | undefined {
    const isWatching = this.locks.hasPeers || this.pass.unfinished.length > 0;
    return isWatching ? LOOK_INTERVAL_MS : undefined;
  }

  /** The look at the locks alone. */
  async look(): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    await this.lookAtLocks(session);
    await this.follow(session);
  }

  private named(names: readonly string[]): TenantRecovery[] {
    return names.map((name) => this.tenants.get(name)).filter((tenant) => tenant !== undefined);
  }
}
