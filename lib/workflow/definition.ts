import type { Duration } from './duration.js';
import type { RetryPolicy } from './retry-policy.js';
import type { TriggerRule } from './trigger-rule.js';

/** How a task is retried, as it is written; see {@link RetryPolicy} for what it becomes. */
export interface RetrySource {
  /** All attempts, the first included; default 3. */
  readonly maxAttempts?: number;
  /** Default `'exponential'`. */
  readonly backoff?: RetryPolicy['backoff'];
  /** Before the second attempt; default 1 s. */
  readonly delay?: Duration;
  /** No delay is longer; default 30 s, or `delay` where that is longer. */
  readonly maxDelay?: Duration;
  /** Default true. */
  readonly jitter?: boolean;
}

/** A task as it is written, before any check. */
export interface TaskSource {
  /** 1 to 200 characters, unique in its workflow. */
  readonly name: string;
  /** Names of tasks of the same workflow. The order matters: of conflicting values the later one's wins. */
  readonly dependsOn?: readonly string[];
  /** Default: every dependency Completed. */
  readonly when?: TriggerRule;
  readonly retry?: RetrySource;
  /** Of one attempt; default 5 min. */
  readonly timeout?: Duration;
  /** Default false. */
  readonly transactional?: boolean;
  /** Higher first, default 0. */
  readonly priority?: number;
}

/** A workflow as it is written, before any check. */
export interface WorkflowSource {
  /** 1 to 200 characters. */
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** Of the whole execution, from its start; default: none. */
  readonly timeout?: Duration;
  readonly tasks: readonly TaskSource[];
}

/** A task that was checked, with its defaults filled in and names resolved to numbers. */
export interface CompiledTask {
  /** Its index in {@link CompiledWorkflow.tasks}; above those of all its dependencies. */
  readonly no: number;
  readonly name: string;
  /** Its place in the source, from 0. */
  readonly declared: number;
  /** As declared: the order decides conflicts when contexts are joined. */
  readonly dependsOn: readonly number[];
  /** `null`: the default rule, every dependency Completed. */
  readonly rule: TriggerRule | null;
  /** The dependencies whose failure it handles by completing. */
  readonly handles: readonly number[];
  readonly retry: RetryPolicy;
  /** Milliseconds, of one attempt. */
  readonly timeoutMs: number;
  readonly transactional: boolean;
  /** Higher first. */
  readonly priority: number;
}

/** A workflow that was checked; immutable. */
export interface CompiledWorkflow {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  /** Milliseconds, of the whole execution. */
  readonly timeoutMs?: number;
  /** Of all that decides how it runs: 32 hexadecimal digits. The description is not part of it. */
  readonly hash: string;
  /** In topological order: `tasks[i].no === i`, and dependencies come before their dependents. */
  readonly tasks: readonly CompiledTask[];
  /** Tasks without dependencies, in declaration order. */
  readonly roots: readonly number[];
  /** Tasks without dependents, in declaration order. */
  readonly leaves: readonly number[];
  /** For each task, the tasks that depend on it, ascending. */
  readonly dependents: readonly (readonly number[])[];
  /** The number of the task called `name`. */
  taskNo(name: string): number | undefined;
  /** Whether `a` has to end before `b` can begin. False of a task and itself. */
  isAncestor(a: number, b: number): boolean;
}

/** The default of a task's timeout, in milliseconds: 5 min. */
export const DEFAULT_TASK_TIMEOUT_MS = 300_000;

/** A task's definition with all defaults filled in, by names: what is hashed and stored. */
export interface TaskSpec {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly rule: TriggerRule | null;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly transactional: boolean;
  readonly priority: number;
}

/** A workflow's definition with all defaults filled in, its tasks as declared: what is hashed and stored. */
export interface WorkflowSpec {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly timeoutMs?: number;
  readonly tasks: readonly TaskSpec[];
}
