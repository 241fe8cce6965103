import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { toStoredError } from '../errors/index.js';
import { SUSPICION_MS, type PeerLocks } from './peer-locks.js';
import type { FailureDetector, LostLease } from './failure-detector.js';
import {
  addTo,
  type RecoveryCause,
  type RecoveryReport,
  TenantRecovery,
} from './tenant-recovery.js';
import type { RecoverySession, TenantSweep } from '../store/port/index.js';
import type { Clock } from '../runtime/clock.js';
import { LastingFailure } from '../runtime/lasting-failure.js';

/** The tenants of a pass, and why it is made. */
export interface PassOptions {
  readonly session: RecoverySession;
  readonly tenants: readonly TenantRecovery[];
  readonly cause: RecoveryCause;
  /** Whether these are all tenants of the process. Only then does the pass resolve missing locks. */
  readonly all: boolean;
  /** Whether to read the locks with the sweep, because processes watch each other. */
  readonly withLocks: boolean;
}

/** What a pass did and read. */
export interface PassResult {
  readonly report: RecoveryReport;
  /** Stands for what the pass read. Undefined unless there was nothing to do, now or in the next pass. */
  readonly digest: string | undefined;
}

/**
 * A recovery pass over tenants: it assesses every lease, takes the claims of lost processes, and passes due times to
 * the engines. Any number of passes may run at the same time, in this process and in others.
 */
export class RecoveryPass {
  private readonly logger = new Logger('CloacinaRecovery');
  private readonly reported = new Set<string>();
  /** Failures that may pass by themselves, by tenant. */
  private readonly lasting = new Map<string, LastingFailure>();
  /** Tenants that need another pass, because rows were locked or the database failed, and since when. */
  private readonly unfinishedSince = new Map<TenantRecovery, number>();

  constructor(
    private readonly detector: FailureDetector,
    private readonly locks: PeerLocks,
    private readonly own: { readonly processId: string; readonly clock: Clock },
  ) {}

  get unfinished(): TenantRecovery[] {
    return [...this.unfinishedSince.keys()];
  }

  /** Whether the latest pass over the tenant has failed for a reason of its own, such as a broken schema. */
  isBroken(tenant: string): boolean {
    return this.reported.has(tenant);
  }

  forget(tenant: TenantRecovery): void {
    this.unfinishedSince.delete(tenant);
    this.reported.delete(tenant.parts.tenant);
    this.lasting.delete(tenant.parts.tenant);
  }

  /** Marks a tenant as needing another pass or not. After `SUSPICION_MS` only the regular passes look after it. */
  note(tenant: TenantRecovery, unfinished: boolean): void {
    const now = this.own.clock.now();
    const since = this.unfinishedSince.get(tenant);
    if (!unfinished || (since !== undefined && now - since > SUSPICION_MS)) {
      this.unfinishedSince.delete(tenant);
    } else if (since === undefined) {
      this.unfinishedSince.set(tenant, now);
    }
  }

  async run({ session, tenants, cause, all, withLocks }: PassOptions): Promise<PassResult> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    const urgent = cause === 'lockGone' || cause === 'boot';
    const gone = all && this.locks.takeGone();
    // A lock that is gone does not tell which tenants the process served, and an idle process has no leases.
    if (gone) for (const { parts } of tenants) parts.processLost();
    const accounted = new Set(this.locks.missing);
    const unfinished = new Set<TenantRecovery>();
    // An urgent pass only looks for lost processes. Reading just the leases costs the server a sixth of a sweep.
    const sweeps = urgent
      ? await this.readLeases(session, tenants)
      : await this.sweep(session, tenants, withLocks);
    const leases = sweeps.found.map((sweep, i) =>
      tenants[i]?.parts.enableRecovery === true ? (sweep?.leases ?? []) : [],
    );
    const lost = await this.detector.findLost(session, leases, accounted, sweeps.living?.sessions);
    for (const [i, tenant] of tenants.entries()) {
      if ((lost[i]?.length ?? 0) > 0) tenant.parts.processLost();
    }
    await Promise.all(
      tenants.map(async (tenant, i) => {
        for (const one of lost[i] ?? []) {
          await this.attempt(tenant, unfinished, async () =>
            addTo(report, await this.recover(session, tenant, one, cause)),
          );
        }
      }),
    );
    // After a loss the pass reads again: claims that could not be taken have no lease now, and due times for which the
    // lost process had set timers no longer have a timer.
    const again = tenants.map(
      (tenant, i) =>
        (lost[i]?.length ?? 0) > 0 || (urgent && (gone || this.unfinishedSince.has(tenant))),
    );
    const fresh = await this.sweep(
      session,
      tenants.filter((_, i) => again[i] === true),
      withLocks,
    );
    const latest = tenants.map((_, i) =>
      again[i] === true ? fresh.found.shift() : sweeps.found[i],
    );
    await Promise.all(
      tenants.map(async (tenant, i) => {
        const sweep = latest[i];
        if (sweep === undefined) this.report(tenant, BROKEN, 'refused');
        else await this.follow(tenant, sweep, { cause, report, unfinished });
      }),
    );
    for (const [i, tenant] of tenants.entries()) {
      if (latest[i] !== undefined && !unfinished.has(tenant)) {
        this.reported.delete(tenant.parts.tenant);
        this.lasting.delete(tenant.parts.tenant);
      }
      this.note(tenant, unfinished.has(tenant));
    }
    if (all) this.locks.resolve(accounted);
    const isQuiet = unfinished.size === 0 && !again.includes(true) && !this.locks.anyMissing;
    return { report, digest: isQuiet ? digestOf(tenants, latest) : undefined };
  }

  private async readLeases(session: RecoverySession, tenants: readonly TenantRecovery[]) {
    const leases = await session.leases(tenants.map(({ parts }) => parts.store.handle));
    return {
      living: undefined,
      found: leases.map(
        (found) =>
          found && {
            leases: found,
            unleased: [],
            due: undefined,
            schemaId: undefined,
            fingerprint: undefined,
          },
      ),
    };
  }

  private async sweep(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
    withLocks: boolean,
  ) {
    if (tenants.length === 0) return { living: undefined, found: [] };
    const handles = tenants.map(({ parts }) => parts.store.handle);
    const sweep = await session.sweep(handles, withLocks);
    if (sweep.living !== undefined) this.locks.look(sweep.living, session.lockSession);
    return { living: sweep.living, found: sweep.tenants };
  }

  private async recover(
    session: RecoverySession,
    tenant: TenantRecovery,
    { lease, verdict }: LostLease,
    cause: RecoveryCause,
  ): Promise<RecoveryReport> {
    const over = verdict === 'leaseOver';
    const mine = await tenant.parts.store.recovery.endLease(lease.instanceId, {
      over,
      lockEpoch: lease.lockEpoch,
      lockSession: lease.lockSession,
    });
    if (!mine) return { recovered: 0, abandoned: 0, blocked: 0 };
    const { instanceId, name } = lease;
    const orphanedForMs = over ? lease.overForMs : this.locks.missingForMs(lease.lockSession ?? '');
    const dead = { instanceId, label: `process ${name}`, orphanedForMs };
    tenant.noteLoss(dead);
    // Best effort: connections of the lost process may still hold locks on its rows.
    await session.terminate(lease).catch(() => undefined);
    const why = cause === 'boot' || cause === 'manual' ? cause : over ? 'leaseOver' : 'lockGone';
    return tenant.take(dead, why);
  }

  /**
   * Takes claims that earlier recoveries left because they were interrupted or met locked rows. Passes due times on.
   */
  private async follow(
    tenant: TenantRecovery,
    { leases, unleased, due, schemaId }: PartialSweep,
    pass: { cause: RecoveryCause; report: RecoveryReport; unfinished: Set<TenantRecovery> },
  ): Promise<void> {
    const { enableRecovery, ownInstanceId, scheduleWakeUps, doubt } = tenant.parts;
    if (due !== undefined) scheduleWakeUps(due);
    const own = ownInstanceId();
    tenant.seeSchema(schemaId);
    const ownLeases = leases.filter(({ processId }) => processId === this.own.processId);
    const isForgotten =
      ownLeases.some(({ instanceId }) => instanceId === own) && !tenant.parts.mayHoldLease();
    // A claim is always written with its lease, and this process knows its own lease. If the database shows anything
    // else, it has lost its latest writes.
    if (unleased.includes(own) || isForgotten) doubt();
    for (const { instanceId } of ownLeases.filter((lease) => lease.instanceId !== own)) {
      await this.attempt(tenant, pass.unfinished, async () =>
        addTo(pass.report, await tenant.takeFormer(instanceId)),
      );
    }
    const owners = unleased.filter((id) => id !== own);
    if (!enableRecovery || owners.length === 0) return;
    // The next pass shows whether all of these claims could be taken.
    pass.unfinished.add(tenant);
    await this.attempt(tenant, pass.unfinished, async () =>
      addTo(pass.report, await tenant.takeUnleased(owners, pass.cause)),
    );
  }

  private async attempt(
    tenant: TenantRecovery,
    unfinished: Set<TenantRecovery>,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      unfinished.add(tenant);
      this.report(tenant, error, tenant.parts.store.classifyFailure(error).kind);
    }
  }

  /** Logs the first of a series of failures: a dropped schema must not fill the log. */
  private report({ parts: { tenant } }: TenantRecovery, error: unknown, kind: string): void {
    // A failed connection has nothing to do with the tenant, and the next pass takes rows that are locked now.
    const passes = kind === 'connection' || kind === 'conflict' || kind === 'passing';
    const { message } = toStoredError(error);
    if (passes) {
      const lasting = this.lasting.get(tenant) ?? new LastingFailure(this.own.clock);
      this.lasting.set(tenant, lasting);
      const seconds = lasting.failed();
      if (seconds === undefined) return;
      this.logger.error(
        `Tenant "${tenant}": recovery has failed for ${seconds} s and will be retried: ${message}`,
      );
      return;
    }
    if (this.reported.has(tenant)) return;
    this.reported.add(tenant);
    this.logger.error(`Tenant "${tenant}": recovery failed and will be retried: ${message}`);
  }
}

/** The result of a sweep, or of reading the leases alone, as urgent passes do. */
type PartialSweep = Pick<TenantSweep, 'leases' | 'unleased' | 'fingerprint'> & {
  readonly due: TenantSweep['due'] | undefined;
  readonly schemaId: string | null | undefined;
};

/**
 * A digest of what the sweeps found. Equal digests of two processes mean that both know the same of the same tenants.
 * Undefined if a tenant has something to do, or if this process does not assess its leases.
 */
function digestOf(
  tenants: readonly TenantRecovery[],
  sweeps: readonly (PartialSweep | undefined)[],
): string | undefined {
  const found = sweeps.map((sweep, i) => {
    const assesses = tenants[i]?.parts.enableRecovery === true || sweep?.leases.length === 0;
    return assesses ? sweep?.fingerprint : undefined;
  });
  if (found.includes(undefined)) return undefined;
  // The tenants of a part come in the same order in all processes.
  return createHash('sha256').update(found.join('\n')).digest('hex').slice(0, 32);
}

const BROKEN = new Error(
  "its leases and claims can't be read. Check that its tables exist and that this login may use them.",
);
