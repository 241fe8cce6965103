import { Logger } from '@nestjs/common';
import type { DueTime, LeaseWrite, TakenOrphan, TenantStore } from '../store/port/index.js';

/** Maximum number of orphans taken by one statement. */
const MAX_ORPHANS = 2_000;
/** Number of statements under way at the same time, once the first one has found a full batch. */
const STATEMENTS_AT_ONCE = 2;

/**
 * Why recovery took a claim:
 *
 * - `lockGone`: the process died; its lock was missing.
 * - `leaseOver`: the process hung or was cut off; its lease had expired.
 * - `boot`: a process found the loss while it booted.
 * - `manual`: a call of `CloacinaRecovery.run()` found the loss.
 * - `reconciled`: the owner lives but does not know the claim.
 */
export type RecoveryCause = 'lockGone' | 'leaseOver' | 'boot' | 'manual' | 'reconciled';

/** The result of a recovery. */
export interface RecoveryReport {
  /** Number of tasks that are Ready again. */
  recovered: number;
  /** Number of tasks that were lost too often and are Failed now. */
  abandoned: number;
  /** Number of tasks that `CloacinaRecovery.blocked()` lists. Recovery does not change them. */
  blocked: number;
}

/** The part of a tenant's engine that recovery uses. */
export interface RecoverableTenant {
  readonly tenant: string;
  readonly store: TenantStore;
  readonly enableRecovery: boolean;
  readonly maxRecoveryAttempts: number;
  readonly ownInstanceId: () => string;
  /**
   * Runs the statement that takes orphans. Abandoned ones become claims of this process, which records them as Failed.
   */
  readonly takeOrphans: (
    cause: RecoveryCause,
    take: (lease: LeaseWrite) => Promise<TakenOrphan[]>,
  ) => Promise<TakenOrphan[]>;
  /** Called when the database shows a claim or lease of this process that this process does not know. */
  readonly doubt: () => void;
  /** Whether this process has a lease in the tenant, or may have one. */
  readonly mayHoldLease: () => boolean;
  /** Called when the schema was dropped and created again: everything that was stored in it is gone. */
  readonly schemaReplaced: () => void;
  /**
   * Called when a process on the database was found lost. It may have ended executions without telling the callers that
   * wait for them here.
   */
  readonly processLost: () => void;
  /** Wakes the workers of this and other processes for Ready tasks. */
  readonly wakeWorkers: () => void;
  /** Called when claims of a lost process are taken. Returns a function to call when they are. Absent: nothing is measured. */
  readonly measure?: ((cause: RecoveryCause, lostForMs: number) => () => void) | undefined;
  /** Sets timers for the due times of the tenant. */
  readonly scheduleWakeUps: (due: readonly DueTime[]) => void;
}

/** An instance that is known to be lost. */
export interface DeadInstance {
  readonly instanceId: string;
  /** Names the instance in the log. */
  readonly label: string;
  /** Time since the loss, in milliseconds, as far as it is known. */
  readonly orphanedForMs: number;
}

/** Takes the claims of dead instances in one tenant. Idempotent: any number of processes may take the same claims. */
export class TenantRecovery {
  private readonly logger = new Logger('CloacinaRecovery');
  /**
   * Instances whose claims a pass is taking now. Another pass skips them, because the two would only block each other.
   */
  private readonly taking = new Set<string>();
  /** Times since the losses of instances whose leases this process has ended, in milliseconds, until a pass has taken the claims. */
  private readonly lostForMs = new Map<string, number>();
  private schemaId: string | null | undefined;

  private stopped = false;

  constructor(readonly parts: RecoverableTenant) {}

  /** Compares the schema's oid with the previous one. Undefined if this pass did not read it. */
  seeSchema(id: string | null | undefined): void {
    if (id === undefined || id === null) return;
    if (this.schemaId !== undefined && this.schemaId !== id) this.parts.schemaReplaced();
    this.schemaId = id;
  }

  /**
   * Ends a lease that this process had under an earlier instance id, and takes its claims. Such a lease is back when
   * the database has gone back in time.
   */
  async takeFormer(instanceId: string): Promise<RecoveryReport> {
    await this.parts.store.recovery.endLease(instanceId, 'former');
    const label = 'an earlier instance of this process';
    return this.take({ instanceId, label, orphanedForMs: 0 }, 'reconciled');
  }

  /**
   * Call when this process has ended the lease of a lost instance. Another pass may take the claims before the caller does, as
   * claims without a lease, and then records the same time.
   */
  noteLoss({ instanceId, orphanedForMs }: DeadInstance): void {
    this.lostForMs.set(instanceId, orphanedForMs);
  }

  /** Whether claims of a dead instance are being taken. */
  get isTaking(): boolean {
    return this.taking.size > 0;
  }

  /** Whether the process no longer serves the tenant. */
  get isStopped(): boolean {
    return this.stopped;
  }

  /** Stops taking claims. Other processes take the rest. */
  stop(): void {
    this.stopped = true;
  }

  /** Takes all claims of an instance that no longer has a lease, in batches of `MAX_ORPHANS`. */
  async take(dead: DeadInstance, cause: RecoveryCause): Promise<RecoveryReport> {
    const { tenant } = this.parts;
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    if (this.stopped || this.taking.has(dead.instanceId)) return report;
    this.taking.add(dead.instanceId);
    const taken = this.parts.measure?.(cause, dead.orphanedForMs);
    try {
      await this.takeAll(dead, cause, report);
    } finally {
      this.taking.delete(dead.instanceId);
      this.lostForMs.delete(dead.instanceId);
    }
    if (report.recovered + report.abandoned > 0) {
      taken?.();
      this.logger.warn(
        `Tenant "${tenant}": ${dead.label} was lost (${cause}): ${report.recovered} tasks are Ready again` +
          `${report.abandoned > 0 ? `, ${report.abandoned} were lost too often and are Failed` : ''}.`,
      );
    }
    return report;
  }

  private async takeAll(
    dead: DeadInstance,
    cause: RecoveryCause,
    report: RecoveryReport,
  ): Promise<void> {
    // More than one batch: parallel statements use several cores of the server, and each takes different rows.
    if (!(await this.takeSome(dead, cause, report))) return;
    const takeOn = async (): Promise<void> => {
      while (await this.takeSome(dead, cause, report));
    };
    await Promise.all(Array.from({ length: STATEMENTS_AT_ONCE }, takeOn));
  }

  /** Takes one batch. Returns whether there may be more. */
  private async takeSome(
    dead: DeadInstance,
    cause: RecoveryCause,
    report: RecoveryReport,
  ): Promise<boolean> {
    if (this.stopped) return false;
    const { store, maxRecoveryAttempts } = this.parts;
    const how = {
      limit: MAX_ORPHANS,
      maxRecoveryAttempts,
      cause,
      orphanedForMs: dead.orphanedForMs,
    };
    const orphans = await this.parts.takeOrphans(cause, (lease) =>
      store.recovery.takeOrphans(dead.instanceId, how, lease),
    );
    for (const { abandoned } of orphans) {
      if (abandoned) report.abandoned++;
      else report.recovered++;
    }
    if (orphans.length > 0) this.parts.wakeWorkers();
    return orphans.length === MAX_ORPHANS;
  }

  /** Takes claims whose owner has no lease, left by a recovery that was interrupted or met locked rows. */
  async takeUnleased(owners: readonly string[], cause: RecoveryCause): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    for (const instanceId of owners) {
      const orphanedForMs = this.lostForMs.get(instanceId) ?? 0;
      const dead = { instanceId, label: `process ${instanceId}`, orphanedForMs };
      addTo(report, await this.take(dead, cause));
    }
    return report;
  }
}

export function addTo(total: RecoveryReport, part: RecoveryReport): void {
  total.recovered += part.recovered;
  total.abandoned += part.abandoned;
  total.blocked += part.blocked;
}
