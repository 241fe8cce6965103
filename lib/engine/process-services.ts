import type { WakeUp } from '../runtime/wake-up-timers.js';
import type { Claimant, WakeUpKind } from '../store/port/index.js';
import type { QueuedBytes } from './starts/queued-bytes.js';
import type { SlotScheduler } from './slots/slot-scheduler.js';
import type { Clock } from '../runtime/clock.js';

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
  readonly clock: Clock;
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
  /** Something becomes due; the tenant is named by its address. */
  schedule(wakeUp: WakeUp<WakeUpKind>): void;
}
