import type { StoredError } from '../../errors/index.js';
import type { ExecutionStatus, TaskStatus } from '../../workflow/index.js';
import type { LimitHolder, LimitKeyRef } from '../limit-state.js';

/** A dependency that has not ended. */
export interface OpenDependency {
  /** The name of the task. */
  task: string;
  /** Its status. */
  status: TaskStatus;
}

/** A process, as reasons name it. */
export interface ProcessRef {
  /** The name of the process: its host and process number. */
  name: string;
  /** A UUID that each start of a process makes anew. */
  id: string;
}

/** A process that serves the tenant, and why it does not take the task. */
export interface UnableProcess extends ProcessRef {
  /** The names of the workflows that it serves; of more than 20, the first 20. */
  serves: string[];
  /**
   * Why it does not take the task.
   *
   * - `workflow`, `task`: its code does not have the workflow, or not the task.
   * - `format`: its release can't read the definition.
   * - `paused`, `away`, `draining`: the state of the process, in which it claims nothing.
   * - `noSlots`: its `maxConcurrentTasks` is 0.
   */
  because: 'workflow' | 'task' | 'format' | 'paused' | 'away' | 'draining' | 'noSlots';
}

/** The items of a map that have not ended for the same kind of cause. */
export interface ItemGroup {
  /** The kind of the cause. */
  kind: ExplainReason['kind'];
  /** The number of items. */
  count: number;
}

/**
 * The cause for which a task has not ended. `kind` tells which of the properties it has. `since` is when the task began to wait,
 * `until` when the wait ends, absent if it has no end; `wait` is the name of the wait in the code.
 *
 * A minor version may add kinds, so a `switch` needs a default.
 *
 * @example
 * ```ts
 * if (reason.kind === 'limit') console.log(`${reason.inUse} of ${reason.concurrency} slots are taken`, reason.holders);
 * ```
 */
export type ExplainReason =
  /** A living process runs it. */
  | {
      kind: 'running';
      process: ProcessRef;
      since: Date;
      /** When its attempt times out. Absent without a timeout. */
      timeoutAt?: Date;
    }
  /**
   * A living process has claimed it, and its handler has not begun: it waits for a free slot of the process. This is known of
   * the process that explains, and of tasks that were lost with their processes twice, which run one at a time.
   */
  | { kind: 'claimed'; process: ProcessRef }
  /**
   * Its handler, or that of an earlier attempt, does not return. `keepsSlot` is known only of handlers of the process that
   * explains; of others, the timeout of the attempt is over.
   */
  | {
      kind: 'hungHandler';
      process: ProcessRef;
      /** Time since the signal of the handler aborted or since its timeout, in milliseconds. */
      ignoredForMs: number;
      keepsSlot?: boolean;
    }
  /** Other tasks have to end first; of more than 20, the first 20. */
  | { kind: 'dependencies'; open: OpenDependency[]; count: number }
  /** Its start time is in the future. */
  | { kind: 'startTime'; until: Date }
  /** Its last attempt has failed, and the next one is not due yet. */
  | { kind: 'backoff'; until: Date; attempt: number; maxAttempts: number; error?: StoredError }
  /** The condition of its `deferUntil()` was false, and is checked again. */
  | { kind: 'condition'; until: Date }
  /** It sleeps. */
  | { kind: 'sleep'; wait: string; since: Date; until?: Date }
  /** It waits for a signal, which `runner.signal()` or a token of `context.signalToken()` sends. */
  | { kind: 'signal'; wait: string; signal: string; since: Date; until?: Date }
  /** It waits for an event with a key, which `runner.emit()` sends. */
  | { kind: 'event'; wait: string; event: string; key?: string; since: Date; until?: Date }
  /** It waits for one of several signals and events; of more than 20, the first 20 are named. */
  | { kind: 'messages'; wait: string; names: string[]; since: Date; until?: Date }
  /** It waits for an execution that it started. */
  | {
      kind: 'child';
      wait: string;
      since: Date;
      /** Of several children, the first that is open. */
      child: string;
      workflow?: string;
      /** Absent if the child was deleted. */
      status?: ExecutionStatus;
      until?: Date;
    }
  /** A map waits for its items. */
  | {
      kind: 'items';
      total: number;
      completed: number;
      failed: number;
      open: number;
      /** Whether all items are known. While a map still reads its items, `total` grows. */
      isComplete: boolean;
      /** The open items by cause, the most frequent first. Their sum may differ a little from `open` while items end. */
      groups: ItemGroup[];
      /**
       * Whether items are missing in `groups`. An explanation looks at 100,000 items; if the maps of the execution have more, at
       * the first and the last ones of each map.
       */
      isCapped: boolean;
    }
  /** All slots of its limit are taken: those of the key, those of all keys (`total`), or those of its map. */
  | {
      kind: 'limit';
      scope: 'key' | 'total' | 'map';
      /** Absent for the `concurrency` of a map. */
      limit?: LimitKeyRef;
      inUse: number;
      concurrency: number;
      /** Tasks that hold the slots; of more than 10, the first 10. */
      holders: LimitHolder[];
      /** The number of due tasks that wait for the key, counted up to 1,000. */
      waiting: number;
    }
  /** The rate of its limit allows the next task of the key later. */
  | { kind: 'rate'; limit: LimitKeyRef; until: Date }
  /** The execution waits for a slot of its admission, or of its schedule with the overlap policy `queue` or `cancelPrevious`. */
  | {
      kind: 'turn';
      workflow: string;
      /** The key of the admission. Absent if all executions of the workflow share one key. */
      key?: string;
      /** The schedule whose executions take turns, in place of an admission. */
      schedule?: string;
      concurrency: number;
      /** The executions that have the slots; of more than 10, the first 10. */
      holders: string[];
      inUse: number;
      /** The number of due executions that wait, counted up to 1,000. */
      waiting: number;
    }
  /** The rate of its admission allows the next execution of the key later. */
  | { kind: 'turnRate'; workflow: string; key?: string; schedule?: string; until: Date }
  /** The execution is paused. The actor is who has paused it, if the call named one. */
  | { kind: 'paused'; reason?: string; actor?: string }
  /** The workflow is paused as a whole. */
  | { kind: 'workflowPaused'; workflow: string; reason?: string; actor?: string; since: Date }
  /** It is due, and no living process can take it: see `because` of each, or `processes` is empty. */
  | { kind: 'noProcess'; workflow: string; processes: UnableProcess[] }
  /** It is due, and the processes that serve it have no free slots for the tenant. */
  | { kind: 'slots'; since: Date; processes: (ProcessRef & { slots: number; claimed: number })[] }
  /** It is due, and a process with a free slot can take it. It usually begins at once. */
  | { kind: 'due'; since: Date }
  /** The process that ran it is lost, and no other process has recovered it yet. */
  | { kind: 'recovery'; process?: ProcessRef; cause: 'lockGone' | 'leaseOver' | 'noLease' }
  /** This release can't read the definition, or it is missing; so names and dependencies of the tasks are not known. */
  | { kind: 'definition'; definitionId: string; message: string };
