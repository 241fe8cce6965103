import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../workflow/duration.js';
import type { TriggerRule } from '../workflow/trigger-rule.js';

/** What {@link Workflow} takes. */
export interface WorkflowOptions {
  /** Unique in the application. Executions are stored under it: renaming strands those that have not ended. */
  name: string;
  /** For people: shown in executions. The library tells definitions apart by their content. */
  version?: string;
  /** For people. */
  description?: string;
  /**
   * A Standard Schema (zod, valibot, arktype…). The context given to `start` is validated by it, and what it returns
   * is stored. In a class, prefer `static readonly input`: the compiler reads the types of the schema from there, and
   * cannot read them from the options of a decorator.
   */
  input?: StandardSchemaV1;
  /** From the start of the first task; any process enforces it. Default: none. */
  timeout?: Duration;
}

/** When a failed attempt is repeated. */
export interface RetryOptions {
  /** All attempts, the first included, default 3. */
  maxAttempts?: number;
  /** Default `exponential`. */
  backoff?: 'fixed' | 'linear' | 'exponential';
  /** Before the second attempt, default 1 s. */
  delay?: Duration;
  /** No delay is longer, default 30 s. */
  maxDelay?: Duration;
  /** Whether delays are spread, within `maxDelay`, default true. */
  jitter?: boolean;
  /**
   * Whether this error is worth another attempt, default: always. Asked in the running code, so a deploy changes it
   * for executions that are under way. The error is `any`, for it is whatever the handler threw.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  retryIf?: (error: any) => boolean;
}

/** What {@link Task} takes: `D` are the dependencies, `W` the rules that may decide about it. */
export interface TaskOptions<
  D extends readonly string[] = readonly string[],
  W extends TriggerRule = TriggerRule,
> {
  /** Default: the method's name. */
  name?: string;
  /** Tasks that must be terminal before this one is decided, default none. Their order decides equal claims on a key. */
  dependsOn?: D;
  /** Whether the task runs, once its dependencies are terminal. Default: every dependency Completed. */
  when?: W;
  /** Default: 3 attempts, exponential from 1 s up to 30 s, with jitter. */
  retry?: RetryOptions;
  /** For one attempt, default 5 min. */
  timeout?: Duration;
  /** Whether the task runs in a transaction which commits with its outcome, as `context.manager`. Default false. */
  transactional?: boolean;
  /** Higher first, default 0. */
  priority?: number;
}
