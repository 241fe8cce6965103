import type { TenantLease } from './tenant-lease.js';
import type { LeaseStore } from '../../store/port/index.js';

export interface LeaseReleaseParts {
  readonly store: LeaseStore;
  readonly lease: TenantLease;
  /** Whether claims are held or statements under way that may make some. */
  readonly isBusy: () => boolean;
  /** Its deletion begins or ends: nothing may be claimed in between. */
  readonly changed: () => void;
  /** The database holds claims under it that this process doesn't know of. */
  readonly stillHeld: () => void;
}

/** Lets go of a tenant's lease when there is nothing to hold it for. */
export class LeaseRelease {
  private underWay = false;

  constructor(private readonly parts: LeaseReleaseParts) {}

  get isUnderWay(): boolean {
    return this.underWay;
  }

  /**
   * Whether the lease can be deleted now: it stands, and there is nothing to hold it for. Nothing is claimed until
   * {@link end}: it would have none.
   */
  begin(): boolean {
    const { lease, isBusy, changed } = this.parts;
    if (isBusy() || this.underWay || !lease.mayStand) return false;
    this.underWay = true;
    lease.releasing();
    changed();
    return true;
  }

  /** `released`: whether it is deleted; false where claims are held under it, undefined where that isn't known. */
  end(released: boolean | undefined): void {
    this.underWay = false;
    if (released === true) this.parts.lease.released();
    this.parts.changed();
    if (released === false) this.parts.stillHeld();
  }

  /** Deletes the lease by a statement of its own, if it can be. */
  async runOnce(): Promise<void> {
    if (!this.begin()) return;
    const { store, lease } = this.parts;
    const released = await store.releaseLease(lease.instanceId).catch(() => undefined);
    this.end(released);
  }
}
