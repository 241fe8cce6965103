import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import { LastingFailure } from '../../runtime/lasting-failure.js';
import type { HeldLease, RenewingSession, TenantStore } from '../../store/port/index.js';
import type { LeaseRelease } from './lease-release.js';
import type { TenantLease } from './tenant-lease.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Number of renewals within the duration of a lease. */
const RENEWALS_PER_LEASE = 3;
/** Maximum number of leases deleted by one statement. Their tenants claim nothing until it has ended. */
const RELEASES_PER_STATEMENT = 50;

/** A tenant whose lease is renewed. */
export interface LeasedTenant {
  readonly store: Pick<TenantStore, 'handle'>;
  readonly lease: TenantLease;
  readonly release: LeaseRelease;
  readonly claims: { readonly size: number };
  /** Whether the process has claims, or statements under way that may make some. */
  readonly isBusy: boolean;
  reconcileClaims(): void;
  leaseLost(): void;
}

export interface LeaseRenewalsOptions {
  readonly clock: Clock;
  readonly leaseDurationMs: number;
  readonly tenants: () => Iterable<LeasedTenant>;
  /** Undefined while the control connection is away. */
  readonly session: () => RenewingSession | undefined;
}

/** Renews the leases of the tenants in which the process has claims, and deletes the others. One statement has many. */
export class LeaseRenewals {
  private readonly logger = new Logger('Cloacina');
  private readonly lasting: LastingFailure;
  private timer: Timer | undefined;

  constructor(private readonly options: LeaseRenewalsOptions) {
    this.lasting = new LastingFailure(options.clock);
  }

  start(): void {
    const { clock, leaseDurationMs } = this.options;
    this.timer = clock.interval(() => void this.runOnce(), leaseDurationMs / RENEWALS_PER_LEASE);
  }

  stop(): void {
    this.timer?.cancel();
  }

  async runOnce(): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    const tenants = [...this.options.tenants()].filter(({ lease }) => lease.mayStand);
    try {
      await this.renew(
        session,
        tenants.filter(({ isBusy }) => isBusy),
      );
      const idle = tenants.filter(({ isBusy }) => !isBusy);
      for (let i = 0; i < idle.length; i += RELEASES_PER_STATEMENT) {
        await release(session, idle.slice(i, i + RELEASES_PER_STATEMENT));
      }
      this.lasting.passed();
    } catch (error) {
      // The session has failed. The next one renews the leases, which are valid until then.
      this.report(error);
    }
  }

  private report(error: unknown): void {
    const seconds = this.lasting.failed();
    if (seconds === undefined) return;
    this.logger.warn(
      `The leases of this process could not be renewed for ${seconds} s; if they run out, other processes take its tasks: ` +
        toStoredError(error).message,
    );
  }

  private async renew(session: RenewingSession, tenants: readonly LeasedTenant[]): Promise<void> {
    // With claims the lease exists, even if this process did not get the reply that says so.
    const leases = tenants
      .filter(({ lease, claims }) => lease.isHeld || claims.size > 0)
      .map((engine) => ({ engine, ...leaseOf(engine) }));
    if (leases.length === 0) return;
    const renewed = await session.renew(leases, this.options.leaseDurationMs);
    for (const [i, { engine, instanceId }] of leases.entries()) {
      if (renewed[i] === true) {
        engine.lease.found(instanceId);
        engine.reconcileClaims();
      } else if (renewed[i] === false && engine.lease.instanceId === instanceId) {
        engine.leaseLost();
      }
    }
  }
}

/** Deletes the leases of those tenants that are still idle. */
async function release(session: RenewingSession, idle: readonly LeasedTenant[]): Promise<void> {
  const tenants = idle.filter(({ release: own }) => own.begin());
  if (tenants.length === 0) return;
  let released: readonly (boolean | undefined)[] = [];
  try {
    released = await session.release(tenants.map(leaseOf));
  } finally {
    for (const [i, tenant] of tenants.entries()) tenant.release.end(released[i]);
  }
}

function leaseOf({ store, lease }: LeasedTenant): HeldLease {
  return { tenant: store.handle, instanceId: lease.instanceId };
}
