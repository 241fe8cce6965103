import type { PeerLocks } from './peer-locks.js';
import { assessLease, type Observer, type LeaseHealth } from './lease-health.js';
import type { LeaseRow, RecoverySession } from '../store/port/index.js';
import type { Clock } from '../runtime/clock.js';

/** A missing lock must be missing again after this time, in milliseconds. */
const SECOND_LOOK_MS = 250;

/** A lease whose process is lost. */
export interface LostLease {
  readonly lease: LeaseRow;
  readonly verdict: LeaseHealth;
}

export interface FailureDetectorOptions {
  readonly clock: Clock;
  readonly processId: string;
  readonly leaseDurationMs: number;
}

/** Judges leases by what the server says of the locks and connections of their processes. */
export class FailureDetector {
  /** The first session counts from the boot: every process may assess leases that were over before it. */
  private firstSession: RecoverySession | undefined;
  /** When the database was last seen to take no writes: no process can have renewed a lease. */
  private readOnlyAt = -Infinity;

  constructor(
    private readonly options: FailureDetectorOptions,
    private readonly locks: PeerLocks,
  ) {}

  bootedWith(session: RecoverySession | undefined): void {
    this.firstSession = session;
  }

  /**
   * Leases of lost processes, by index of the tenant. Judged twice when a lock is missing. Leaves in `accounted` the
   * missing locks of which no lease says that it is uncertain. `living` are the locks as they were read with the leases.
   */
  async findLost(
    session: RecoverySession,
    read: readonly (readonly LeaseRow[])[],
    accounted: Set<string>,
    living?: ReadonlySet<string>,
  ): Promise<LostLease[][]> {
    const found = read.map((): LostLease[] => []);
    const others = read.flatMap((leases, tenant) =>
      leases
        .filter(({ processId }) => processId !== this.options.processId)
        .map((lease) => ({ ...lease, tenant })),
    );
    if (others.length === 0) return found;
    if (others.some(({ readOnly }) => readOnly)) this.readOnlyAt = this.options.clock.now();
    let judged = await this.judgeAll(session, others, living ?? (await session.livingLocks()));
    if (judged.some(({ verdict }) => verdict === 'lockGone')) {
      await this.options.clock.sleep(SECOND_LOOK_MS);
      const before = new Map(judged.map(({ lease, verdict }) => [lease, verdict]));
      judged = (await this.judgeAll(session, others, await session.livingLocks())).map((again) =>
        again.verdict === 'lockGone' && before.get(again.lease) !== 'lockGone'
          ? { ...again, verdict: 'unsure' as const }
          : again,
      );
    }
    for (const { lease, verdict } of judged) {
      if (verdict === 'lockGone' || verdict === 'leaseOver') {
        found[lease.tenant]?.push({ lease, verdict });
      } else if (verdict === 'unsure' && lease.lockSession !== null) {
        if (session.epoch !== null) this.locks.suspect(lease.lockSession);
        accounted.delete(lease.lockSession);
      }
    }
    return found;
  }

  private async judgeAll(
    session: RecoverySession,
    leases: readonly LeaseRow[],
    living: ReadonlySet<string>,
  ): Promise<LostLease[]> {
    const holds = (lease: LeaseRow): boolean => living.has(lease.lockSession ?? '');
    const missing = leases.filter((lease) => !holds(lease));
    const connected = await (missing.length > 0 ? session.connected(missing) : new Set());
    return leases.map((lease) => ({
      lease,
      verdict: assessLease(
        {
          lockEpoch: lease.lockEpoch,
          lockHeld: holds(lease),
          connected: connected.has(lease),
          over: lease.overForMs >= 0,
        },
        this.vantage(session, lease),
      ),
    }));
  }

  private vantage(session: RecoverySession, { lockEpoch }: LeaseRow): Observer {
    const { leaseDurationMs } = this.options;
    const sinceBoot = session === this.firstSession && !session.interrupted;
    const epochAgeMs = session.lifeAgeMs(lockEpoch);
    return {
      epoch: session.epoch,
      epochAgeMs,
      mayJudgeLeases:
        (sinceBoot || session.ageMs >= leaseDurationMs) &&
        epochAgeMs >= leaseDurationMs &&
        this.options.clock.now() - this.readOnlyAt >= leaseDurationMs,
    };
  }
}
