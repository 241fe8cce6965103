import { randomUUID } from 'node:crypto';
import type { ProcessServices } from '../process-services.js';
import type { Claimant, LeaseWrite } from '../../store/port/index.js';

/**
 * This process's lease in one tenant. It is written with the first claim, renewed together with the leases of other
 * tenants, and deleted when the process has no claims.
 */
export class TenantLease {
  /** Id of the owner of this process's claims. It changes when the lease is lost, so that no claim is taken twice. */
  private instance: string = randomUUID();
  /** Whether the lease exists. `maybe`: a statement that writes or deletes it was sent, and its effect is not known. */
  private stands: 'no' | 'maybe' | 'yes' = 'no';

  constructor(
    private readonly identity: ProcessServices['identity'],
    private readonly durationMs: number,
    private readonly renew: () => void,
    /** Whether a lease that is written now has to be announced to the other processes. */
    private readonly mustAnnounce: () => boolean = () => false,
  ) {}

  get instanceId(): string {
    return this.instance;
  }

  /**
   * Whether the lease certainly exists. Then a renewal that does not find it means that another process has ended it.
   */
  get isHeld(): boolean {
    return this.stands === 'yes';
  }

  get mayStand(): boolean {
    return this.stands !== 'no';
  }

  private claimant(): Claimant {
    return { ...this.identity(), instanceId: this.instance, leaseDurationMs: this.durationMs };
  }

  /** The lease to write with a statement that may claim. */
  forClaim(): LeaseWrite {
    const write = !this.isHeld;
    if (write) this.stands = 'maybe';
    const announcesLease = write && this.mustAnnounce();
    return { claimant: { ...this.claimant(), announcesLease }, write };
  }

  /** The identity for a statement that claims nothing. */
  withoutClaim(): LeaseWrite {
    return { claimant: this.claimant(), write: false };
  }

  written({ write, claimant }: LeaseWrite): void {
    if (!write) return;
    this.found(claimant.instanceId);
    // The control connection was replaced while the statement was under way, so the lease names the old lock.
    if (claimant.lockSession !== this.identity().lockSession) this.renew();
  }

  /** Call when the lease was seen in the database. */
  found(instanceId: string): void {
    if (instanceId === this.instance) this.stands = 'yes';
  }

  /** Call when another process has ended the lease. Later claims belong to a new instance. */
  lost(): void {
    this.stands = 'no';
    this.instance = randomUUID();
  }

  /** Call when the database may have gone back in time: the lease may or may not exist. */
  doubt(): void {
    this.stands = 'maybe';
  }

  /**
   * Call before the lease is deleted. The process must have no claims, and must not claim before the deletion has
   * ended.
   */
  releasing(): void {
    this.stands = 'maybe';
  }

  released(): void {
    this.stands = 'no';
  }
}
