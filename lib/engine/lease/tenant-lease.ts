import { randomUUID } from 'node:crypto';
import type { QueuedBytes } from '../starts/queued-bytes.js';
import type { SlotScheduler } from '../slots/slot-scheduler.js';
import type { Claimant, LeaseWrite } from '../../store/port/index.js';

/** What the engine of one tenant needs to know of it. */
export interface TenantSettings {
  readonly tenant: string;
  readonly schema: string;
  /** What the tenant is called on the notification channel: a hash, since every role may listen. */
  readonly address: string;
  /** Handlers at a time; 0: this process only starts and watches. */
  readonly maxConcurrentTasks: number;
  /** Bytes of JSON. */
  readonly maxContextSize: number;
  readonly startTimeoutMs: number;
  /** How long a handler keeps its slot after its signal aborted. */
  readonly handlerGraceMs: number;
  readonly leaseDurationMs: number;
  readonly maxRecoveryAttempts: number;
}

/** What the process does for its tenants: it knows the other processes, they don't. */
export interface ProcessServices {
  readonly slots: SlotScheduler;
  /** What waits to be started. */
  readonly queuedBytes: QueuedBytes;
  /** Who this process is, and the epoch of the lock that proves that it lives. */
  readonly identity: () => Pick<Claimant, 'processId' | 'name' | 'lockEpoch' | 'lockSession'>;
  /** Whether the control session is open. Without one the database may be away. */
  readonly isConnected: () => boolean;
  /** Renews the leases now: one was written that tells of a control connection that is gone. */
  renewLeases(): void;
  /** Work is ready that this process has no room for, or no handler. */
  notifyWork(address: string): void;
  /** The same as a payload, for a notification that waits for the commit of a caller's transaction. */
  workPayload(address: string): string;
  notifyCancelled(address: string, executionId: string): void;
  notifyPaused(address: string, executionId: string): void;
  notifyEnded(address: string, executionId: string): void;
  /** Something becomes due in `ms` milliseconds. */
  wakeIn(address: string, ms: number): void;
  deadlineIn(address: string, ms: number): void;
}

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
