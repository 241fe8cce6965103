import { Logger } from '@nestjs/common';
import type { DueTime, LeaseWrite, TakenOrphan, TenantStore } from '../store/port/index.js';

/** Orphans to one statement. */
const MAX_ORPHANS = 2_000;
/** Statements under way at a time, beyond the first. */
const STATEMENTS_AT_ONCE = 2;

/**
 * Why claims were taken: `boot` when it was found by a process that boots, `manual` when it was asked for; `reconciled`
 * when the process that held them lives and knew nothing of them, or no process held them.
 */
export type RecoveryCause = 'lockGone' | 'leaseOver' | 'boot' | 'manual' | 'reconciled';

/** What a recovery did. */
export interface RecoveryReport {
  /** Tasks that are Ready again. */
  recovered: number;
  /** Tasks that were lost too often and are Failed now. */
  abandoned: number;
  /** Tasks that `CloacinaRecovery.blocked()` lists; they stay as they are. */
  blocked: number;
}

/** The tenant's engine, as recovery needs it. */
export interface RecoverableTenant {
  readonly tenant: string;
  readonly store: TenantStore;
  readonly enableRecovery: boolean;
  readonly maxRecoveryAttempts: number;
  readonly ownInstanceId: () => string;
  /** Runs the statement that takes orphans. The abandoned ones become this process's claims, and are recorded as Failed. */
  readonly takeOrphans: (
    cause: RecoveryCause,
    take: (lease: LeaseWrite) => Promise<TakenOrphan[]>,
  ) => Promise<TakenOrphan[]>;
  /** The database holds something of this very process that it doesn't know of. */
  readonly doubt: () => void;
  /** Whether this process's lease stands, or may. */
  readonly mayHoldLease: () => boolean;
  /** The schema is another one of the same name: nothing of what was stored is there. */
  readonly schemaReplaced: () => void;
  /** Ready tasks wait: here and elsewhere. */
  readonly wakeWorkers: () => void;
  /** Takes in what becomes due in the tenant, and when. */
  readonly scheduleWakeUps: (due: readonly DueTime[]) => void;
}

/** A process that is known to be lost. */
export interface DeadInstance {
  /** Null: the tasks run without an owner. */
  readonly instanceId: string | null;
  readonly name: string;
  /** How long its tasks have been without it, in milliseconds, as far as is known. */
  readonly orphanedForMs: number;
}

/** Recovers what a dead instance left in one tenant. Idempotent, and any number of processes may be at it. */
export class TenantRecovery {
  private readonly logger = new Logger('CloacinaRecovery');
  /** Instances whose claims a pass is taking right now: another one would only get in its way. */
  private readonly taking = new Set<string | null>();
  private schemaId: string | null | undefined;

  private stopped = false;

  constructor(readonly parts: RecoverableTenant) {}

  /** Takes note of the schema's oid; undefined: it was not asked for. */
  seeSchema(id: string | null | undefined): void {
    if (id === undefined || id === null) return;
    if (this.schemaId !== undefined && this.schemaId !== id) this.parts.schemaReplaced();
    this.schemaId = id;
  }

  /** A lease of this very process from before it was taken for dead: the database has gone back to that time. */
  async takeFormer(instanceId: string): Promise<RecoveryReport> {
    await this.parts.store.recovery.endLease(instanceId, 'former');
    const name = 'of a former time of this process';
    return this.take({ instanceId, name, orphanedForMs: 0 }, 'reconciled');
  }

  /** Whether claims of a dead instance are being taken. */
  get isTaking(): boolean {
    return this.taking.size > 0;
  }

  /** Takes nothing more: what is left is there for other processes. */
  stop(): void {
    this.stopped = true;
  }

  /** Takes all claims of the instance, whose lease is gone, a statement's worth at a time. */
  async take(dead: DeadInstance, cause: RecoveryCause): Promise<RecoveryReport> {
    const { tenant } = this.parts;
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    if (this.stopped || this.taking.has(dead.instanceId)) return report;
    this.taking.add(dead.instanceId);
    try {
      await this.takeAll(dead, cause, report);
    } finally {
      this.taking.delete(dead.instanceId);
    }
    if (report.recovered + report.abandoned > 0) {
      this.logger.warn(
        `Tenant "${tenant}": process ${dead.name} was lost (${cause}): ${report.recovered} of its tasks are Ready again` +
          `${report.abandoned > 0 ? `, ${report.abandoned} were lost too often and are abandoned as Failed` : ''}.`,
      );
    }
    return report;
  }

  private async takeAll(
    dead: DeadInstance,
    cause: RecoveryCause,
    report: RecoveryReport,
  ): Promise<void> {
    // Where there is more than a statement's worth the server's cores can share it: each takes what no other has.
    if (!(await this.takeSome(dead, cause, report))) return;
    const takeOn = async (): Promise<void> => {
      while (await this.takeSome(dead, cause, report));
    };
    await Promise.all(Array.from({ length: STATEMENTS_AT_ONCE }, takeOn));
  }

  /** One statement's worth; whether there may be more. */
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

  /**
   * Claims whose owner has no lease: a recovery that was itself interrupted, or met rows that were locked; and tasks that
   * run without an owner.
   */
  async takeUnleased(
    owners: readonly (string | null)[],
    cause: RecoveryCause,
  ): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    for (const instanceId of owners) {
      const dead = { instanceId, name: instanceId ?? 'of an unowned task', orphanedForMs: 0 };
      addTo(report, await this.take(dead, instanceId === null ? 'reconciled' : cause));
    }
    return report;
  }
}

export function addTo(total: RecoveryReport, part: RecoveryReport): void {
  total.recovered += part.recovered;
  total.abandoned += part.abandoned;
  total.blocked += part.blocked;
}
