import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Admission } from '../workflow/admission.js';
import type { Duration } from '../workflow/duration.js';
import type { ScheduleOptions } from './schedule.decorator.js';
import type { LimitRef } from '../workflow/limit.js';
import type { RetentionPeriods } from '../workflow/retention.js';
import type { TriggerRule } from '../workflow/trigger-rule.js';

/** The options of {@link Workflow}. */
export interface WorkflowOptions {
  /**
   * The workflow's name, unique in the application, 1 to 200 characters. Executions are stored under it. After a
   * rename, unfinished executions wait for a process with a workflow of the old name.
   */
  name: string;
  /** A version for people, which executions show. The library identifies a definition by its content. Default: none. */
  version?: string;
  /** A description for people. Default: none. */
  description?: string;
  /**
   * A Standard Schema (zod, valibot, arktype…) that validates the input of `start`; its output is stored. In a class,
   * prefer `static readonly input`: the compiler cannot read the schema's types from the options of a decorator.
   * Default: none.
   */
  input?: StandardSchemaV1;
  /** The longest duration of an execution, from the start of its first task. Any process enforces it. Default: none. */
  timeout?: Duration;
  /**
   * The maximum number of executions that are Pending: stored, and without a task that has begun; at least 1. `start` and
   * `execute` of a process with the code of the workflow throw a QueueFullError beyond it and store nothing; `startMany`
   * throws a StartManyError with that cause. It is a soft bound: a process counts at most once a second, so processes that
   * start at the same time may exceed it by what each of them starts in a second. Starts by tasks, schedules, pollers and
   * events are not refused. Default: no bound.
   */
  maxPending?: number;
  /**
   * After which time a due task that no process has claimed gets the next higher level of priority, and after the same time
   * the next, so that tasks of higher priorities cannot keep it waiting forever; at least 1 s. The running code decides. An
   * unclaimed task is looked at every 15 s or more often. Default: none, so that priorities are strict.
   */
  priorityAging?: Duration;
  /**
   * How many executions of a key run at a time, from their first task to their end, or begin in a time. It needs a
   * `concurrency` or a `rate`; the application does not boot with one that is not valid. Default: any number.
   *
   * @example
   * ```ts
   * @Workflow({ name: 'sync', admission: { key: 'customer.id', concurrency: 1, whenFull: 'queue' } })
   * ```
   */
  admission?: Admission;
  /**
   * How long ended executions of the workflow are kept, in place of the tenant's `retention`; `false`: forever. An execution
   * with a parent goes with the execution at the top of its tree, whatever its own workflow says. Default: the tenant's.
   *
   * @example
   * ```ts
   * @Workflow({ name: 'sync', retention: { completed: '1d', failed: '30d', keepLast: 100 } })
   * ```
   */
  retention?: RetentionPeriods | false;
  /** The schedules that start the workflow. For a class, `@Schedule` adds another one. Default: none. */
  schedule?: ScheduleOptions | readonly ScheduleOptions[];
}

/** The retry policy of a task: whether and when another attempt follows a failed one. */
export interface RetryOptions {
  /** The number of attempts, including the first. Default: 3. */
  maxAttempts?: number;
  /** How the delay grows from attempt to attempt. Default: `exponential`. */
  backoff?: 'fixed' | 'linear' | 'exponential';
  /** The delay before the second attempt. Default: 1 s. */
  delay?: Duration;
  /** The longest delay. Default: 30 s, or `delay` if that is longer. */
  maxDelay?: Duration;
  /** Whether each delay is drawn at random between 50 % and 100 %. Default: `true`. */
  jitter?: boolean;
  /**
   * Decides whether an error is worth another attempt. Default: always. The running code decides, so a deploy changes
   * this for unfinished executions too. The error is `any`, because a handler can throw anything.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  retryIf?: (error: any) => boolean;
}

/** The options of {@link Task}. `D` are the names of the dependencies, `W` is the type of the trigger rule. */
export interface TaskOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
> {
  /** The task's name, unique in the workflow, 1 to 200 characters. Default: the name of the method. */
  name?: string;
  /**
   * The tasks that have to end before this one. If they wrote conflicting values to a key, the task gets the value of
   * the later one in this list. Default: none.
   */
  dependsOn?: D;
  /**
   * The trigger rule: whether the task runs after its dependencies have ended. Default: if all of them are Completed.
   */
  when?: W;
  /** The retry policy. Default: 3 attempts, with exponential delays from 1 s to 30 s and jitter. */
  retry?: RetryOptions;
  /** The longest duration of one attempt. Default: 5 min. */
  timeout?: Duration;
  /** Whether writes through `context.manager` commit together with the task's outcome. Default: `false`. */
  transactional?: boolean;
  /**
   * A whole number from -100 to 100. Tasks with a higher priority run first, and tasks of one priority by their due time. The
   * priority of the execution is added to it. The sum is rounded to the nearest of 21 levels: 0, ±1, ±2, ±3, ±5, ±10, ±20,
   * ±30, ±50, ±75 and ±100. Default: 0.
   */
  priority?: number;
  /**
   * The limit that the task counts for: how many tasks of a key run at a time, or begin in a time. Default: none.
   *
   * @example
   * ```ts
   * @Task({ limit: { name: 'stripe', key: 'accountId', concurrency: 4, rate: { limit: 90, per: '1s' } } })
   * ```
   */
  limit?: LimitRef;
  /**
   * The path of a key in the input, such as `customer.id`: while there is less room than work, the keys take turns, whatever
   * number of tasks each has. It limits nothing. The weights of keys are those of the limit `cloacina.fair`:
   * `runner.limits.set('cloacina.fair', { key, weight })`. The keys of a `limit` take turns anyway. Default: none.
   *
   * @example
   * ```ts
   * @Task({ fairKey: 'customer.id' })
   * ```
   */
  fairKey?: string;
}
