import type { PeerLocks } from './peer-locks.js';
import { assessLease, type Observer, type LeaseHealth } from './lease-health.js';
import type { LeaseRow, RecoverySession } from '../store/port/index.js';
import type { Clock } from '../runtime/clock.js';

/** Time between the two looks that prove a lock missing, in milliseconds. */
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

/** Assesses leases by the locks and connections that the server shows for their processes. */
export class FailureDetector {
  /** The session of the boot. With it a process may assess leases that had expired before the boot. */
  private firstSession: RecoverySession | undefined;
  /** When the database was last seen read-only: until then no process could renew its lease. */
  private readOnlyAt = -Infinity;

  constructor(
    private readonly options: FailureDetectorOptions,
    private readonly locks: PeerLocks,
  ) {}

  bootedWith(session: RecoverySession | undefined): void {
    this.firstSession = session;
  }

  /**
   * Returns the leases of lost processes, by index of the tenant. A missing lock is looked at twice.
   *
   * @param read - leases by index of the tenant
   * @param accounted - missing locks; this method removes those whose lease is still unsure
   * @param living - locks that were read together with the leases; read anew if absent
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
    let judged = await this.assessAll(
      session,
      others,
      living ?? (await session.livingLocks()).sessions,
    );
    if (judged.some(({ verdict }) => verdict === 'lockGone')) {
      await this.options.clock.sleep(SECOND_LOOK_MS);
      const before = new Map(judged.map(({ lease, verdict }) => [lease, verdict]));
      judged = (await this.assessAll(session, others, (await session.livingLocks()).sessions)).map(
        (again) =>
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

  private async assessAll(
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
        this.observer(session, lease),
      ),
    }));
  }

  private observer(session: RecoverySession, { lockEpoch }: LeaseRow): Observer {
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
