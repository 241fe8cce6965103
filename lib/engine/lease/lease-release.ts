import { TablesMissingError } from '../../errors/index.js';
import type { EngineState } from '../engine-state.js';
import type { TenantLease } from './tenant-lease.js';
import type { LeaseStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Between two attempts to delete the lease at the end of a drain, in milliseconds. */
const PAUSE_MS = 20;

export interface LeaseReleaseParts {
  readonly clock: Clock;
  readonly state: Pick<EngineState, 'isReleasing' | 'beginRelease' | 'endRelease'>;
  readonly store: LeaseStore;
  readonly lease: TenantLease;
  readonly claims: { readonly size: number };
  /** Whether claims are held or statements under way that may make some. */
  readonly isBusy: () => boolean;
  /** The database holds claims under it that this process doesn't know of. */
  readonly stillHeld: () => void;
}

/** Lets go of a tenant's lease when there is nothing to hold it for. */
export class LeaseRelease {
  constructor(private readonly parts: LeaseReleaseParts) {}

  /**
   * Whether the lease can be deleted now: it stands, and there is nothing to hold it for. Nothing is claimed until
   * {@link end}: it would have none.
   */
  begin(): boolean {
    const { state, lease, isBusy } = this.parts;
    if (isBusy() || state.isReleasing || !lease.mayStand) return false;
    lease.releasing();
    state.beginRelease();
    return true;
  }

  /** `released`: whether it is deleted; false where claims are held under it, undefined where that isn't known. */
  end(released: boolean | undefined): void {
    const { state, lease, stillHeld } = this.parts;
    if (released === true) lease.released();
    state.endRelease();
    if (released === false) stillHeld();
  }

  /**
   * Deletes the lease at the end of a drain, for `ms` milliseconds at most. A release that is under way already, failed, or
   * has to wait for a comparison, is followed by another one.
   */
  async runFor(ms: number): Promise<void> {
    const { clock, lease, claims } = this.parts;
    const end = clock.now() + ms;
    while (lease.mayStand && claims.size === 0 && clock.now() < end) {
      if (!(await this.runOnce())) return;
      if (lease.mayStand) await clock.sleep(PAUSE_MS);
    }
  }

  /**
   * Deletes the lease by a statement of its own, if it can be.
   *
   * @returns false where its table is gone, so that another try is of no use
   */
  async runOnce(): Promise<boolean> {
    if (!this.begin()) return true;
    const { store, lease } = this.parts;
    let hasTable = true;
    const released = await store.releaseLease(lease.instanceId).catch((error: unknown) => {
      hasTable = !(error instanceof TablesMissingError);
      return undefined;
    });
    this.end(released);
    return hasTable;
  }
}
