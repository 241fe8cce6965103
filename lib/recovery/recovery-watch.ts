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

/** Interval of the looks at the locks while other processes are known, in milliseconds. */
const LOOK_INTERVAL_MS = 400;

export interface RecoveryWatchOptions {
  readonly clock: Clock;
  readonly processId: string;
  readonly leaseDurationMs: number;
  /** Undefined while the control connection is away. */
  readonly session: () => RecoverySession | undefined;
  /** The sweep that runs this pass. */
  readonly sweep: MaintenanceSweep;
}

/**
 * Finds lost processes and recovers their tasks, for all tenants of one login. It also finds due work for which no
 * process has set a timer.
 *
 * It is a pass of the maintenance sweep, with one statement for each part of a round. While other processes are known,
 * it looks at the locks about twice a second, between the parts too. A missing lock leads to a pass over the leases of
 * all tenants, and to further passes while its meaning is unsure. The same pass runs at boot and on request.
 */
export class RecoveryWatch implements MaintenancePass {
  private readonly tenants = new Map<string, TenantRecovery>();
  private readonly locks: PeerLocks;
  private readonly detector: FailureDetector;
  private readonly pass: RecoveryPass;

  constructor(private readonly options: RecoveryWatchOptions) {
    this.locks = new PeerLocks(options.clock);
    this.detector = new FailureDetector(options, this.locks);
    this.pass = new RecoveryPass(this.detector, this.locks, options);
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

  /** Sets the session of the boot, with which leases that expired before it may be assessed. */
  bootedWith(session: RecoverySession | undefined): void {
    this.detector.bootedWith(session);
  }

  /** Call when another process has joined: from now on its lock is watched. */
  async greet(): Promise<void> {
    await this.lookOnce().catch(() => undefined);
  }

  /** Looks at the locks once, and makes a pass if one of them is missing. */
  async lookOnce(): Promise<void> {
    try {
      await this.look();
    } finally {
      this.options.sweep.plan();
    }
  }

  /** Makes one pass: assesses every lease of the tenants and takes the claims of lost processes. */
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

  /**
   * Looks for due work of the tenants that were just opened. The boot does not wait for it: there may be a thousand.
   */
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
    // Without a control connection this process holds no lock itself, and leases alone decide.
    if (session.epoch === null) return;
    this.locks.look(await session.livingLocks(), session.lockSession);
  }

  /** Makes a pass if locks are missing, or if an earlier pass left tenants unfinished. */
  private async follow(session: RecoverySession): Promise<void> {
    const { unfinished } = this.pass;
    if (this.locks.anyMissing) await this.passOver(session, [...this.tenants.values()], 'lockGone');
    else if (unfinished.length > 0) await this.passOver(session, unfinished, 'lockGone');
  }

  /** Handles a part of the round. Its statement also reads the locks. */
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

  /** Looks at the locks alone, between the parts of a round. */
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
