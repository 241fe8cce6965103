import type { StoredError } from '../../errors/index.js';
import type { ExecutionStatus, TaskStatus } from '../../workflow/index.js';
import type { ExplainReason } from './explain-reason.js';

/** Why a task, or an item of a map, has not ended. */
export interface TaskExplanation {
  /** The name of the task. */
  task: string;
  /** The number of the item, from 1, if this is an item of a map. */
  item?: number;
  /** The status of the task. */
  status: TaskStatus;
  /** The number of attempts that have begun, including the running one. */
  attempt: number;
  /** The error of the last failed attempt. Absent if no attempt has failed. */
  error?: StoredError;
  /** The cause, for programs. `reason.kind` tells which properties it has. */
  reason: ExplainReason;
  /** The same as a sentence for people. */
  text: string;
}

/** A living process that serves the tenant. */
export interface ServingProcess {
  /** The name of the process: its host and process number. */
  name: string;
  /** A UUID that each start of a process makes anew. */
  id: string;
  /** Whether it is the process that explains. */
  isThis: boolean;
  /**
   * - `claiming`: it takes tasks of the tenant.
   * - `paused`: claiming is paused in it.
   * - `away`: it has lost its control connection, so it claims nothing.
   * - `draining`: it shuts down.
   */
  state: 'claiming' | 'paused' | 'away' | 'draining';
  /** The names of the workflows that it serves for the tenant, by name; of more than 100, the first 100. */
  serves: string[];
  /** The number of tasks of the tenant that it may run at a time: `maxConcurrentTasks`. */
  slots: number;
  /** The number of tasks of the tenant that it has claimed, running or about to run. */
  claimed: number;
  /** When it began to serve the tenant. */
  since: Date;
}

/**
 * Why an execution has not ended: what each of its open tasks waits for.
 *
 * All facts of the execution and its tasks are those of one moment. Limits, processes and children are read right after it.
 *
 * @example
 * ```ts
 * const explanation = await runner.explain(id);
 * console.log(explanation?.summary);
 * for (const { task, text } of explanation?.tasks ?? []) console.log(task, text);
 * ```
 */
export interface ExecutionExplanation {
  /** The id of the execution. */
  executionId: string;
  /** The name of its workflow. */
  workflow: string;
  /** Its status. */
  status: ExecutionStatus;
  /** The most important cause, as sentences for people. */
  summary: string;
  /**
   * The tasks that have not ended, dependencies before their dependents; of more than 200, the first 200. Of the items of a
   * map, a few examples for each cause follow the map; their numbers are in its reason. Empty for an execution that has ended.
   */
  tasks: TaskExplanation[];
  /** The number of tasks that have not ended, without items. */
  open: number;
  /** The living processes that serve the tenant, this one first; of more than 50, those that have served it for longest. */
  processes: ServingProcess[];
  /** Until when the execution must begin. Absent if it may begin at any time, and after it has begun or ended. */
  startBefore?: Date;
  /** When the facts were read, by the clock of this process. */
  at: Date;
}
