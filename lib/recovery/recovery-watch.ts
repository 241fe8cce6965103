import { PeerLocks } from './peer-locks.js';
import { FailureDetector } from './failure-detector.js';
import { RecoveryPass, type PassResult } from './recovery-pass.js';
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
import { ClaimSearcher } from './claim-searcher.js';
import type { RecoverySession } from '../store/port/index.js';
import type { Clock } from '../runtime/clock.js';

/** Interval of the looks at the locks while the meaning of a missing lock is unsure, in milliseconds. */
const LOOK_INTERVAL_MS = 400;
/**
 * Age of the latest look at which a process that shares its sweeps looks whether there are still others, in ms. Processes
 * leave without a word while there are no leases.
 */
const FRESH_MS = 60_000;

export interface RecoveryWatchOptions {
  readonly clock: Clock;
  readonly processId: string;
  readonly leaseDurationMs: number;
  /** Undefined while the control connection is away. */
  readonly session: () => RecoverySession | undefined;
  /** The sweep that runs this pass. */
  readonly sweep: MaintenanceSweep;
  /** Whether the processes on the database watch each other, because there are leases. */
  readonly isWatching: () => boolean;
  /** Tells the other processes that the set of processes has changed. */
  readonly notifyProcesses: () => void;
  /** Tells the other processes of a part of the sweep that found nothing to do. */
  readonly notifySwept: (digest: string) => void;
  /** Called when the number of {@link RecoveryWatch.peers} has changed. */
  readonly onPeers?: () => void;
}

/**
 * Finds lost processes and recovers their tasks, for all tenants of one login. It also finds due work for which no
 * process has set a timer.
 *
 * It is a pass of the maintenance sweep, with one statement for each part of a round. While there are leases, the
 * processes take turns to look at the locks, between the parts too. The process that misses a lock notifies the others, and
 * each of them makes a pass over the leases of its tenants, and further passes while the meaning of the missing lock is
 * unsure. The same pass runs at boot and on request.
 *
 * A part of a round in which there is nothing to do is shared: the process sends the others a digest of what it read, and
 * a process that has read the same takes its own turn a round later.
 */
export class RecoveryWatch implements MaintenancePass {
  private readonly tenants = new Map<string, TenantRecovery>();
  private readonly locks: PeerLocks;
  private readonly detector: FailureDetector;
  private readonly pass: RecoveryPass;
  private readonly searcher: ClaimSearcher;
  private lookedAt = -Infinity;
  /** The number of lost locks of which the other processes know. */
  private toldLosses = 0;
  /** What this process has read of each part of its rounds, by the tenants of the part. */
  private readonly read = new Map<string, SweptPart>();

  constructor(private readonly options: RecoveryWatchOptions) {
    this.locks = new PeerLocks(options.clock, options.onPeers);
    this.detector = new FailureDetector(options, this.locks);
    this.pass = new RecoveryPass(this.detector, this.locks, options);
    this.searcher = new ClaimSearcher((tenant) => {
      this.pass.note(tenant, true);
      options.sweep.plan();
    });
    options.sweep.register(this);
  }

  /** The locks of the other processes that were alive at the latest look. */
  get peers(): ReadonlySet<string> {
    return this.locks.living;
  }

  add(tenant: RecoverableTenant): TenantRecovery {
    const recovery = new TenantRecovery(tenant);
    this.tenants.set(tenant.tenant, recovery);
    this.read.clear();
    this.options.sweep.add(tenant.tenant);
    return recovery;
  }

  /** Whether the latest pass could not read or change the tenant's tables. */
  isBroken(name: string): boolean {
    return this.pass.isBroken(name);
  }

  remove(name: string): void {
    const tenant = this.tenants.get(name);
    this.tenants.delete(name);
    this.read.clear();
    this.options.sweep.remove(name);
    if (tenant === undefined) return;
    tenant.stop();
    this.pass.forget(tenant);
  }

  /** Sets the session of the boot, with which leases that expired before it may be assessed. */
  bootedWith(session: RecoverySession | undefined): void {
    this.detector.bootedWith(session);
  }

  /** Call when a session was opened: the process may have missed notifications. */
  connected(): void {
    this.read.clear();
  }

  /** Call when another process has joined or missed a lock: looks at the locks, and follows up missing ones. */
  async processesChanged(): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    try {
      await this.lookAtLocks(session);
      this.toldLosses = this.locks.lossCount;
      await this.follow(session);
    } catch {
      // The session has failed. The next one looks again.
    } finally {
      this.options.sweep.plan();
    }
  }

  /** Call when the processes begin to watch each other. */
  watchBegins(): void {
    this.locks.turns.resume(this.options.session()?.lockSession ?? null);
    this.options.sweep.plan();
  }

  /**
   * Call when another process has swept tenants and found nothing to do. If this process has read the same, its own sweep
   * would find nothing either.
   *
   * Every role may send notifications, so only those of sessions with this login count.
   *
   * @param sender - the backend of the session that sent the notification
   */
  sweptByOther(digest: string, sender: number): void {
    if (!this.locks.isMate(sender)) return;
    for (const part of this.read.values()) {
      if (part.digest === digest) this.options.sweep.confirm(part.tenants);
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
        // Claims that are listed again before the pass are taken by it, and so are in its report.
        if (cause === 'manual') await this.searcher.searchAll(session, tenants);
        const { report } = await this.passOver(session, tenants, cause);
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
   * Looks for due work of the tenants that were just opened, and then for claims that no list names. The boot does not wait
   * for it: there may be a thousand.
   */
  private async lookForWork(tenants: readonly TenantRecovery[]): Promise<void> {
    for (let i = 0; i < tenants.length; i += TENANTS_PER_PART) {
      const session = this.options.session();
      const part = this.stillServed(tenants.slice(i, i + TENANTS_PER_PART));
      if (session !== undefined) await this.passOver(session, part, 'leaseOver');
    }
    const session = this.options.session();
    if (session !== undefined) await this.searcher.searchAll(session, this.stillServed(tenants));
  }

  private stillServed(tenants: readonly TenantRecovery[]): TenantRecovery[] {
    return tenants.filter((tenant) => this.tenants.get(tenant.parts.tenant) === tenant);
  }

  private passOver(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
    cause: RecoveryCause,
  ): Promise<PassResult> {
    const all = tenants.length === this.tenants.size;
    const withLocks = this.options.isWatching();
    return this.pass.run({ session, tenants, cause, all, withLocks });
  }

  private async lookAtLocks(session: RecoverySession): Promise<void> {
    this.lookedAt = this.options.clock.now();
    // Without a control connection this process holds no lock itself, and leases alone decide.
    if (session.epoch === null) return;
    this.locks.look(await session.livingLocks(), session.lockSession);
  }

  /** Makes a pass if locks are missing, or if an earlier pass left tenants unfinished. */
  private async follow(session: RecoverySession): Promise<void> {
    if (this.locks.lossCount > this.toldLosses) {
      this.toldLosses = this.locks.lossCount;
      this.options.notifyProcesses();
    }
    const { unfinished } = this.pass;
    if (this.locks.anyMissing) await this.passOver(session, [...this.tenants.values()], 'lockGone');
    else if (unfinished.length > 0) await this.passOver(session, unfinished, 'lockGone');
  }

  /** Handles a part of the round. While processes watch each other, its statement also reads the locks. */
  async over(names: readonly string[], isExtra: boolean): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    this.lookedAt = this.options.clock.now();
    const { digest } = await this.passOver(session, this.named(names), 'leaseOver');
    await this.follow(session);
    const part = { tenants: names, digest };
    this.read.set(names.join('\n'), part);
    if (isExtra) return;
    await this.share(session, part);
    this.searcher.round(session, this.stillServed(this.named(names)));
  }

  /** Sends the other processes with this login a digest of a part of the round. */
  private async share(session: RecoverySession, part: SweptPart): Promise<void> {
    if (part.digest === undefined || session.epoch === null || !this.locks.hasMates) return;
    if (this.locks.ageMs > FRESH_MS) {
      await this.lookAtLocks(session);
      await this.follow(session);
    }
    if (this.locks.hasMates) this.options.notifySwept(part.digest);
  }

  get nextLookAt(): number | undefined {
    if (this.locks.anyMissing || this.pass.unfinished.length > 0) {
      return this.lookedAt + LOOK_INTERVAL_MS;
    }
    const isWatching = this.options.isWatching() && this.locks.hasPeers;
    return isWatching && this.options.session()?.epoch !== null
      ? this.locks.turns.nextAt
      : undefined;
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

/** A part of a round. */
interface SweptPart {
  /** Names of the tenants. */
  readonly tenants: readonly string[];
  /** See `PassResult.digest`. */
  readonly digest: string | undefined;
}
