import type { WakeUp } from '../runtime/wake-up-timers.js';
import type { Claimant, WakeUpKind } from '../store/port/index.js';
import type { QueuedBytes } from './starts/queued-bytes.js';
import type { LeftWork } from './process/work-calls.js';
import type { RetentionSettings } from './retention/tenant-retention.js';
import type { SlotScheduler } from './slots/slot-scheduler.js';
import type { Clock } from '../runtime/clock.js';

/** The settings of one tenant's engine. */
export interface TenantSettings {
  readonly tenant: string;
  readonly schema: string;
  /** Names the tenant on the notification channel. It is a hash, because every role may listen. */
  readonly address: string;
  /** Maximum number of handlers at the same time. With 0 this process runs no tasks. */
  readonly maxConcurrentTasks: number;
  /** Maximum size of a context, in bytes of JSON. */
  readonly maxContextSize: number;
  /** Maximum number of steps and waits of one task. */
  readonly maxSteps: number;
  /** Maximum size of the results of all steps and waits of one task, in bytes of JSON. */
  readonly maxStepsSize: number;
  /** Secrets of the tokens of signals: the first signs, each is accepted. Empty: there are no tokens. */
  readonly signalSecrets: readonly string[];
  readonly startTimeoutMs: number;
  /** How long a handler keeps its slot after its signal aborted, in milliseconds. */
  readonly handlerGraceMs: number;
  readonly leaseDurationMs: number;
  readonly maxRecoveryAttempts: number;
  /** How long ended executions, events and keys are kept. Absent: the library's defaults. */
  readonly retention?: RetentionSettings;
}

/** What the process does for its tenants' engines. They have no other contact to other processes. */
export interface ProcessServices {
  readonly clock: Clock;
  readonly slots: SlotScheduler;
  /** Bytes of starts that wait for the database. */
  readonly queuedBytes: QueuedBytes;
  /** Identifies this process, and the lock that proves that it lives. */
  readonly identity: () => Pick<Claimant, 'processId' | 'name' | 'lockEpoch' | 'lockSession'>;
  /** Whether the control session is open. Without one the database may be unavailable. */
  readonly isConnected: () => boolean;
  /** Whether notifications of other processes reach this one. They don't without a control connection of its own. */
  readonly hearsNotifications: () => boolean;
  /** Whether the other processes have to be told of a lease that is written now. */
  mustAnnounceLeases(): boolean;
  /** Has the other processes watch this one for a while. Call after setting a timer that only this process has. */
  askForWatch(): void;
  /** Tells other processes soon what this one serves. Call when the state of a tenant has changed. */
  announceServing(): void;
  /** Renews the leases now. Call after writing a lease that names an earlier control connection. */
  renewLeases(): void;
  /** Wakes as many other processes as there is work for, because this process has no room or no handler for it. */
  notifyWork(address: string, work: LeftWork): void;
  /** The payload that wakes all processes, for sending it with the commit of a caller's transaction. */
  workPayload(address: string): string;
  /** The payload of a notification about signals and events, for sending it with the commit of a caller's transaction. */
  messagePayload(address: string): string;
  /** Tells the other processes of messages that are stored, or that are to start executions. */
  notifyMessages(address: string): void;
  /** Tells the other processes that workflows were paused or resumed. */
  notifyPauses(address: string): void;
  /** Tells the other processes that a schedule has changed. */
  notifySchedules(address: string): void;
  /** The payload of it, for sending it with the commit of a caller's transaction. */
  schedulePayload(address: string): string;
  /** Tells the other processes that executions of the tenant have children. */
  notifyChildren(address: string): void;
  notifyCancelled(address: string, executionId: string): void;
  notifyPaused(address: string, executionId: string): void;
  notifyEnded(address: string, executionId: string): void;
  /** Asks the other processes to report changes of the execution for a while. */
  notifyWatched(address: string, executionId: string): void;
  /** Tells the processes that watch the execution of a change. */
  notifyChanged(address: string, executionId: string): void;
  /** Sets a timer for work that becomes due. The wake-up names the tenant by its address. */
  schedule(wakeUp: WakeUp<WakeUpKind>): void;
}
