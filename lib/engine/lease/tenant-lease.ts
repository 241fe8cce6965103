import { randomUUID } from 'node:crypto';
import type { ProcessServices } from '../process-services.js';
import type { Claimant, LeaseWrite } from '../../store/port/index.js';

/** Whether this process's lease stands in the tenant's schema. Written with the first claim and renewed with all others. */
export class TenantLease {
  /** Whose claims are this process's in this tenant. A new one each time the lease is lost: nothing is taken twice. */
  private instance: string = randomUUID();
  /** `maybe`: a statement that writes it was sent, or one that deletes it failed, and how that went is not known. */
  private stands: 'no' | 'maybe' | 'yes' = 'no';

  constructor(
    private readonly identity: ProcessServices['identity'],
    private readonly durationMs: number,
    private readonly renew: () => void,
  ) {}

  get instanceId(): string {
    return this.instance;
  }

  /** Whether it stands for certain: then a renewal that doesn't find it means that others have ended it. */
  get isHeld(): boolean {
    return this.stands === 'yes';
  }

  get mayStand(): boolean {
    return this.stands !== 'no';
  }

  private claimant(): Claimant {
    return { ...this.identity(), instanceId: this.instance, leaseDurationMs: this.durationMs };
  }

  /** For a statement that may claim. */
  forClaim(): LeaseWrite {
    const write = !this.isHeld;
    if (write) this.stands = 'maybe';
    return { claimant: this.claimant(), write };
  }

  /** For a statement that claims nothing. */
  withoutClaim(): LeaseWrite {
    return { claimant: this.claimant(), write: false };
  }

  written({ write, claimant }: LeaseWrite): void {
    if (!write) return;
    this.found(claimant.instanceId);
    // The statement was under way while the control connection was lost and opened anew, or was sent again after that.
    if (claimant.lockSession !== this.identity().lockSession) this.renew();
  }

  /** The row is there, also if the reply that would have told of it was lost. */
  found(instanceId: string): void {
    if (instanceId === this.instance) this.stands = 'yes';
  }

  /** Others took this process for dead. What it claims from now on is a new instance's. */
  lost(): void {
    this.stands = 'no';
    this.instance = randomUUID();
  }

  /** The database may have gone back in time: it may stand, or may not. */
  doubt(): void {
    this.stands = 'maybe';
  }

  /** It is about to be deleted: only with no claim held, no claiming statement under way, and none begun before it is gone. */
  releasing(): void {
    this.stands = 'maybe';
  }

  released(): void {
    this.stands = 'no';
  }
}
