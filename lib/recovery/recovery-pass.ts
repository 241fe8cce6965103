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

/** Tenants to look at, and what is known of them already. */
export interface PassOptions {
  readonly session: RecoverySession;
  readonly tenants: readonly TenantRecovery[];
  readonly cause: RecoveryCause;
  /** These are all that the process serves: what is missing afterwards is accounted for. */
  readonly all: boolean;
}

/**
 * One pass over tenants: every lease is judged, what the dead left is taken, and the engines are told what is due.
 * Any number of passes may be made at once, here and elsewhere.
 */
export class RecoveryPass {
  private readonly logger = new Logger('CloacinaRecovery');
  private readonly reported = new Set<string>();
  /** Tenants that need another pass (rows were locked, or the database failed), and since when. */
  private readonly unfinishedSince = new Map<TenantRecovery, number>();

  constructor(
    private readonly judge: FailureDetector,
    private readonly locks: PeerLocks,
    private readonly own: { readonly processId: string; readonly clock: Clock },
  ) {}

  get unfinished(): TenantRecovery[] {
    return [...this.unfinishedSince.keys()];
  }

  forget(tenant: TenantRecovery): void {
    this.unfinishedSince.delete(tenant);
    this.reported.delete(tenant.parts.tenant);
  }

  /** Looks are followed by passes for a while; what is left then is the regular passes' business. */
  note(tenant: TenantRecovery, unfinished: boolean): void {
    const now = this.own.clock.now();
    const since = this.unfinishedSince.get(tenant);
    if (!unfinished || (since !== undefined && now - since > SUSPICION_MS)) {
      this.unfinishedSince.delete(tenant);
    } else if (since === undefined) {
      this.unfinishedSince.set(tenant, now);
    }
  }

  async run({ session, tenants, cause, all }: PassOptions): Promise<RecoveryReport> {
    const report: RecoveryReport = { recovered: 0, abandoned: 0, blocked: 0 };
    const urgent = cause === 'lockGone' || cause === 'boot';
    const gone = all && this.locks.takeGone();
    const accounted = new Set(this.locks.missing);
    const unfinished = new Set<TenantRecovery>();
    // Deaths are a matter of the leases alone, which take the server a sixth of the time that a sweep does.
    const sweeps = urgent
      ? await this.readLeases(session, tenants)
      : await this.sweep(session, tenants);
    const leases = sweeps.found.map((sweep, i) =>
      tenants[i]?.parts.enableRecovery === true ? (sweep?.leases ?? []) : [],
    );
    const lost = await this.judge.findLost(session, leases, accounted, sweeps.living);
    await Promise.all(
      tenants.map(async (tenant, i) => {
        for (const one of lost[i] ?? []) {
          await this.attempt(tenant, unfinished, async () =>
            addTo(report, await this.recover(session, tenant, one, cause)),
          );
        }
      }),
    );
    // What could not be taken has no lease any more; and with a process, its timers went.
    const again = tenants.map(
      (tenant, i) =>
        (lost[i]?.length ?? 0) > 0 || (urgent && (gone || this.unfinishedSince.has(tenant))),
    );
    const fresh = await this.sweep(
      session,
      tenants.filter((_, i) => again[i] === true),
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
      }
      this.note(tenant, unfinished.has(tenant));
    }
    if (all) this.locks.resolve(accounted);
    return report;
  }

  private async readLeases(session: RecoverySession, tenants: readonly TenantRecovery[]) {
    const leases = await session.leases(tenants.map(({ parts }) => parts.store.handle));
    return {
      living: undefined,
      found: leases.map(
        (found) => found && { leases: found, unleased: [], due: undefined, schemaId: undefined },
      ),
    };
  }

  private async sweep(session: RecoverySession, tenants: readonly TenantRecovery[]) {
    if (tenants.length === 0) return { living: undefined, found: [] };
    const sweep = await session.sweep(tenants.map(({ parts }) => parts.store.handle));
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
    // Best effort: what the dead process's connections hold would keep its rows locked.
    await session.terminate(lease).catch(() => undefined);
    const why = cause === 'boot' || cause === 'manual' ? cause : over ? 'leaseOver' : 'lockGone';
    const { instanceId, name } = lease;
    const orphanedForMs = over ? lease.overForMs : this.locks.missingForMs(lease.lockSession ?? '');
    return tenant.take({ instanceId, name, orphanedForMs }, why);
  }

  /** Takes what interrupted recoveries left, and rows that were locked; and tells the engine what is due. */
  private async follow(
    tenant: TenantRecovery,
    { leases, unleased, due, schemaId }: SurveyOrLeases,
    pass: { cause: RecoveryCause; report: RecoveryReport; unfinished: Set<TenantRecovery> },
  ): Promise<void> {
    const { enableRecovery, ownInstanceId, scheduleWakeUps, doubt } = tenant.parts;
    if (due !== undefined) scheduleWakeUps(due);
    const own = ownInstanceId();
    tenant.seeSchema(schemaId);
    const ownLeases = leases.filter(({ processId }) => processId === this.own.processId);
    const isForgotten =
      ownLeases.some(({ instanceId }) => instanceId === own) && !tenant.parts.mayHoldLease();
    // A claim is never in the database without its lease, nor a lease without this process knowing, unless the database
    // has lost what was written last.
    if (unleased.includes(own) || isForgotten) doubt();
    for (const { instanceId } of ownLeases.filter((lease) => lease.instanceId !== own)) {
      await this.attempt(tenant, pass.unfinished, async () =>
        addTo(pass.report, await tenant.takeFormer(instanceId)),
      );
    }
    const owners = unleased.filter((id) => id !== own);
    if (!enableRecovery || owners.length === 0) return;
    // Whether all of it could be taken shows in the next pass.
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

  /** Once for each time that it breaks: a dropped schema must not fill the log. */
  private report({ parts: { tenant } }: TenantRecovery, error: unknown, kind: string): void {
    // A connection that failed is no fault of the tenant's, and rows that are locked are taken in the next pass.
    const passes = kind === 'connection' || kind === 'conflict' || kind === 'passing';
    if (passes || this.reported.has(tenant)) return;
    this.reported.add(tenant);
    this.logger.error(
      `Tenant "${tenant}": recovery failed and will be tried again: ${toStoredError(error).message}`,
    );
  }
}

/** A pass that is urgent has read no more than the leases. */
type SurveyOrLeases = Pick<TenantSweep, 'leases' | 'unleased'> & {
  readonly due: TenantSweep['due'] | undefined;
  readonly schemaId: string | null | undefined;
};

const BROKEN = new Error(
  "Its leases and claims can't be read: are the tables there, and granted to this login?",
);
