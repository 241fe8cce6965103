import type { Admission, CheckedAdmission } from './admission.js';
import type { Duration } from './duration.js';
import type { LimitRef, TaskLimit } from './limit.js';
import type { NamedLimit } from './limit-table.js';
import type { NodeSource, TaskNode } from './node.js';
import type { RetryPolicy } from './retry-policy.js';
import type { TriggerRule } from './trigger-rule.js';

/** A retry policy before its checks; see {@link RetryPolicy} for the checked form. */
export interface RetrySource {
  /** The number of attempts, including the first. Default: 3. */
  readonly maxAttempts?: number;
  /** How the delay grows from attempt to attempt. Default: `'exponential'`. */
  readonly backoff?: RetryPolicy['backoff'];
  /** The delay before the second attempt. Default: 1 s. */
  readonly delay?: Duration;
  /** The longest delay. Default: 30 s, or `delay` if that is longer. */
  readonly maxDelay?: Duration;
  /** Whether each delay is drawn at random between 50 % and 100 %. Default: `true`. */
  readonly jitter?: boolean;
}

/** A task before its checks. */
export interface TaskSource {
  /** A name of 1 to 200 characters, unique in the workflow. */
  readonly name: string;
  /** Names of tasks of the same workflow. If they wrote conflicting values, the value of the later one wins. */
  readonly dependsOn?: readonly string[];
  /** The trigger rule. Default: every dependency is Completed. */
  readonly when?: TriggerRule;
  readonly retry?: RetrySource;
  /** The timeout of one attempt. Default: 5 min. */
  readonly timeout?: Duration;
  /** Whether the task runs in a transaction. Default: `false`. */
  readonly transactional?: boolean;
  /** Tasks with a higher priority run first. Default: 0. */
  readonly priority?: number;
  /** The limit that the task counts for. Default: none. */
  readonly limit?: LimitRef | undefined;
  /** The path of the key whose tasks take turns with those of other keys. Default: none. */
  readonly fairKey?: string | undefined;
  /** What the library does in place of a handler. Default: the task has a handler. */
  readonly node?: NodeSource | undefined;
}

/** A workflow before its checks. */
export interface WorkflowSource {
  /** A name of 1 to 200 characters. */
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** The timeout of an execution, from the start of its first task. Default: none. */
  readonly timeout?: Duration;
  /** The names of the events that start an execution. Default: none. */
  readonly startsOn?: readonly string[];
  /** How many executions of a key run at a time. Default: any number. */
  readonly admission?: Admission | undefined;
  readonly tasks: readonly TaskSource[];
}

/** A checked task, with defaults filled in and names resolved to numbers. */
export interface CompiledTask {
  /** The index in {@link CompiledWorkflow.tasks}, which is higher than those of all dependencies. */
  readonly no: number;
  readonly name: string;
  /** The position in the source, from 0. */
  readonly declared: number;
  /** The dependencies in declaration order, which decides conflicts when contexts are joined. */
  readonly dependsOn: readonly number[];
  /** The trigger rule; `null` for the default: every dependency is Completed. */
  readonly rule: TriggerRule | null;
  /** The dependencies whose failure this task handles when it completes. */
  readonly handles: readonly number[];
  readonly retry: RetryPolicy;
  /** The timeout of one attempt, in milliseconds. */
  readonly timeoutMs: number;
  readonly transactional: boolean;
  /** Tasks with a higher priority run first. */
  readonly priority: number;
  /** The limit that the task counts for. Absent: none. */
  readonly limit?: TaskLimit;
  /** What the library does in place of a handler. Absent for a task with a handler. */
  readonly node?: TaskNode;
}

/** A checked workflow; immutable. */
export interface CompiledWorkflow {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** The timeout of an execution, in milliseconds. */
  readonly timeoutMs?: number;
  /** The names of the events that start an execution, sorted. Absent: none. */
  readonly startsOn?: readonly string[];
  /** How many executions of a key run at a time. Absent: any number. */
  readonly admission?: CheckedAdmission;
  /** The hash of everything that decides how the workflow runs, in 32 hexadecimal digits. Excludes the description. */
  readonly hash: string;
  /** The tasks in topological order: `tasks[i].no === i`, and dependencies come before their dependents. */
  readonly tasks: readonly CompiledTask[];
  /** Tasks without dependencies, in declaration order. */
  readonly roots: readonly number[];
  /** Tasks without dependents, in declaration order. */
  readonly leaves: readonly number[];
  /** What the tasks of the running code say of their limits. Absent: nothing, or the workflow was stored. */
  readonly limits?: readonly NamedLimit[];
  /** For each task, the tasks that depend on it, ascending. */
  readonly dependents: readonly (readonly number[])[];
  /** The number of the task with this name. */
  taskNo(name: string): number | undefined;
  /** Whether `a` has to end before `b` can begin. False if `a` is `b`. */
  isAncestor(a: number, b: number): boolean;
}

/** The default timeout of an attempt, in milliseconds: 5 min. */
export const DEFAULT_TASK_TIMEOUT_MS = 300_000;

/** The definition of a task that is hashed and stored: with all defaults filled in, and tasks referred to by name. */
export interface TaskSpec {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly rule: TriggerRule | null;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly transactional: boolean;
  readonly priority: number;
  /** Absent for a task without a limit, so that the hash of a workflow without limits never changes. */
  readonly limit?: TaskLimit;
  /** Absent for a task with a handler, so that the hash of a workflow without nodes never changes. */
  readonly node?: TaskNode;
}

/** The definition of a workflow that is hashed and stored: with all defaults, and its tasks in declaration order. */
export interface WorkflowSpec {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly timeoutMs?: number;
  /** Absent for a workflow that no event starts, so that its hash never changes. */
  readonly startsOn?: readonly string[];
  /** Absent for a workflow without admission, so that its hash never changes. */
  readonly admission?: CheckedAdmission;
  readonly tasks: readonly TaskSpec[];
  /** What the tasks say of their limits. It is neither hashed nor stored. */
  readonly limits?: readonly NamedLimit[];
}
