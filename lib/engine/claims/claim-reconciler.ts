import { Logger } from '@nestjs/common';
import type { ClaimsInFlight } from './claims-in-flight.js';
import type { TenantLease } from '../lease/tenant-lease.js';
import type { OrphanReceiver } from './orphan-receiver.js';
import type { ClaimTable } from './claim-table.js';
import { tokenKey } from './task-claim.js';
import type { ClaimStore, ClaimedTask, LeaseStore, TenantStore } from '../../store/port/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { LastingFailure } from '../../runtime/lasting-failure.js';
import { toStoredError } from '../../errors/index.js';

export interface ClaimReconcilerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: ClaimStore & LeaseStore & Pick<TenantStore, 'recovery'>;
  readonly claims: ClaimTable;
  readonly inFlight: ClaimsInFlight;
  readonly maxRecoveryAttempts: number;
  readonly lease: TenantLease;
  readonly orphans: () => OrphanReceiver;
  /** Called when that many tasks are Ready again. */
  readonly wakeWorkers: (tasks: number) => void;
}

/** Pause before a failed comparison is repeated, in milliseconds. */
const RETRY_MS = 250;

/**
 * Compares this process's claims in the database with those in memory. They can differ after a lost reply, after the
 * database refused an outcome, and when the database went back in time.
 *
 * A claim that only memory has is lost: the signal of its handler aborts. A claim that only the database has is an
 * orphan like any other: its task becomes Ready again and is charged with a recovery.
 *
 * States: idle, comparing, waiting to retry. A request during a comparison makes it start over.
 */
export class ClaimReconciler {
  private readonly logger = new Logger('Cloacina');
  private running: Promise<void> | undefined;
  private retry: Timer | undefined;
  private again = false;
  private isDoubted = false;
  private closed = false;
  private readonly lasting: LastingFailure;

  constructor(private readonly parts: ClaimReconcilerParts) {
    this.lasting = new LastingFailure(parts.clock);
  }

  /** Whether a comparison is under way or due. */
  get isPending(): boolean {
    return this.running !== undefined || this.retry !== undefined;
  }

  /** Requests a comparison. Only one runs at a time; it is repeated after a failure or another request. */
  request(): void {
    if (this.closed) return;
    if (this.running !== undefined) {
      this.again = true;
      return;
    }
    this.retry?.cancel();
    this.retry = undefined;
    this.again = false;
    this.running = this.runOnce().then(
      () => this.ended(false),
      (error: unknown) => {
        this.report(error);
        this.ended(true);
      },
    );
  }

  /**
   * Requests a comparison and drops the cached outcomes: the database may have gone back in time and lost some of them.
   * The outcomes that a claim started from are kept if the database has that claim.
   */
  doubt(): void {
    this.isDoubted = true;
    this.request();
  }

  /** Resolves when no comparison is under way. */
  async whenIdle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  close(): void {
    this.closed = true;
    this.retry?.cancel();
    this.retry = undefined;
  }

  private ended(failed: boolean): void {
    this.running = undefined;
    if (!failed) this.lasting.passed();
    if (failed && !this.closed) {
      this.retry = this.parts.clock.timer(() => this.request(), RETRY_MS);
    } else if (this.again) {
      this.request();
    }
  }

  /** Until it succeeds, claims that only the database has are not found. */
  private report(error: unknown): void {
    const seconds = this.lasting.failed();
    if (seconds === undefined || this.closed) return;
    this.logger.warn(
      `Tenant "${this.parts.tenant}": the comparison of this process's claims with the database has failed for ${seconds} s and ` +
        `will be retried: ${toStoredError(error).message}`,
    );
  }

  private async runOnce(): Promise<void> {
    const { store, claims, inFlight, lease, orphans } = this.parts;
    const { isDoubted } = this;
    const before = claims.all();
    const instance = lease.instanceId;
    const unknown = await claims.watchReleases(async (wasReleased) => {
      const rows = await store.claimsOf(instance);
      const held = new Set(rows.map(tokenKey));
      for (const claim of before) {
        // A claim that is settled by now may have been recorded before the read, with its reply still on the way.
        if (claim.stage !== 'settled' && !held.has(`${claim.key}/${claim.token}`)) this.lose(claim);
      }
      if (isDoubted) {
        claims.forgetOutcomes();
        if (rows.length > 0) await this.restoreLease(instance);
      }
      // A claim may have been made by a statement whose reply this process has not processed yet.
      await inFlight.landed();
      return rows.filter(
        (row) =>
          !claims.knows(row) && !wasReleased(row) && !orphans().leavesAlone(row.definitionId),
      );
    });
    if (unknown.length > 0 && instance === lease.instanceId) await this.takeUnknown(unknown);
    if (isDoubted && !this.again) this.isDoubted = false;
    await store.forgetEnded(instance);
  }

  /** Writes the lease if it is missing. Without it, other processes would recover the claims that the database has. */
  private async restoreLease(instance: string): Promise<void> {
    const lease = this.parts.lease.forClaim();
    if (!lease.write || lease.claimant.instanceId !== instance) return;
    await this.parts.store.writeLease(lease);
    this.parts.lease.written(lease);
  }

  private lose(claim: Parameters<ClaimTable['lose']>[0]): void {
    const { tenant, claims } = this.parts;
    if (!claim.lost) {
      this.logger.warn(
        `Tenant "${tenant}": task ${claim.task.name} of execution ${claim.executionId} is no longer held by this process. ` +
          'Its signal is aborted and its outcome will not be recorded.',
      );
    }
    claims.lose(claim);
  }

  private async takeUnknown(unknown: readonly ClaimedTask[]): Promise<void> {
    const { tenant, store, maxRecoveryAttempts, orphans, wakeWorkers } = this.parts;
    const cause = 'reconciled';
    const how = { limit: unknown.length, maxRecoveryAttempts, cause, orphanedForMs: 0 };
    const taken = await orphans().take(cause, (lease) =>
      store.recovery.takeUnknown(unknown, how, lease),
    );
    if (taken.length === 0) return;
    this.logger.warn(
      `Tenant "${tenant}": ${taken.length} claims of this process were in the database but not in its memory, because a ` +
        'reply was lost or the database went back in time. Their tasks are Ready again, or Failed if they were lost too often.',
    );
    const ready = taken.filter((orphan) => !orphan.abandoned).length;
    if (ready > 0) wakeWorkers(ready);
  }
}
