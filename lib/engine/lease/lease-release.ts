import { TablesMissingError } from '../../errors/index.js';
import type { EngineState } from '../engine-state.js';
import type { TenantLease } from './tenant-lease.js';
import type { LeaseStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Pause between two attempts to delete the lease at the end of a drain, in milliseconds. */
const PAUSE_MS = 20;

export interface LeaseReleaseParts {
  readonly clock: Clock;
  readonly state: Pick<EngineState, 'isReleasing' | 'beginRelease' | 'endRelease'>;
  readonly store: LeaseStore;
  readonly lease: TenantLease;
  readonly claims: { readonly size: number };
  /** Whether the process has claims, or statements under way that may make some. */
  readonly isBusy: () => boolean;
  /** Called when the database kept the lease, because it has claims that this process does not know. */
  readonly stillHeld: () => void;
}

/** Deletes a tenant's lease when the process has no claims in the tenant. */
export class LeaseRelease {
  constructor(private readonly parts: LeaseReleaseParts) {}

  /**
   * Begins a deletion if the lease may exist and the process has no claims. Returns whether it began. Nothing is
   * claimed until {@link end}, because the claims would have no lease.
   */
  begin(): boolean {
    const { state, lease, isBusy } = this.parts;
    if (isBusy() || state.isReleasing || !lease.mayStand) return false;
    lease.releasing();
    state.beginRelease();
    return true;
  }

  /** @param released - true: deleted; false: kept, because the database has claims under it; undefined: not known */
  end(released: boolean | undefined): void {
    const { state, lease, stillHeld } = this.parts;
    if (released === true) lease.released();
    state.endRelease();
    if (released === false) stillHeld();
  }

  /**
   * Deletes the lease at the end of a drain. Tries for at most `ms` milliseconds: an attempt may fail, or have to wait
   * for another deletion or a comparison.
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
   * Tries once to delete the lease by a statement of its own.
   *
   * @returns false if its table is gone, so that another try would fail too
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
