import { CloacinaError } from './cloacina-error.js';
import type { StoredError } from '../workflow/describe-error.js';

/** The status of the execution does not allow the requested change. Nothing was changed. */
export class InvalidTransitionError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  /** The status of the execution. */
  readonly from: string;
  /** The requested change: `pause`, `resume`, `cancel`, `retry`, `signal` or `delete`. */
  readonly action: string;

  /** @param rule - a sentence for the message, which says which executions allow the action */
  constructor(executionId: string, from: string, action: string, rule = '') {
    const message = `Cannot ${action} execution ${executionId}: it is ${from}. ${rule}`;
    super('INVALID_TRANSITION', message.trimEnd());
    this.executionId = executionId;
    this.from = from;
    this.action = action;
  }
}

/**
 * A context is not valid: JSON or PostgreSQL cannot carry a value, the `input` schema refuses it, or a required key is
 * missing. A task that throws it fails and is not retried.
 */
export class InvalidContextError extends CloacinaError {
  /** The top-level key. Empty if the context as a whole is not valid. */
  readonly key: string;
  /** The path of the bad value within the context, such as `order.items[2].price`. */
  readonly path: string;

  /**
   * @param problem - a clause that follows the path, such as `is NaN, which JSON cannot carry`
   * @param options - `whole`: the subject of the sentence if the path is empty, such as `The input`; default: `The context`
   */
  constructor(
    key: string,
    path: string,
    problem: string,
    options: ErrorOptions & { readonly whole?: string } = {},
  ) {
    const { whole = 'The context', ...errorOptions } = options;
    const subject = path === '' ? whole : `The context's ${JSON.stringify(path)}`;
    super('INVALID_CONTEXT', `${subject} ${problem}.`, errorOptions);
    this.key = key;
    this.path = path;
  }
}

/** The merged context exceeds `maxContextSize`. A task that causes this fails and is not retried. */
export class ContextTooLargeError extends CloacinaError {
  /** The size of the context, in bytes of JSON. */
  readonly size: number;
  /** The limit, in bytes of JSON. */
  readonly limit: number;

  /** @param largest - the largest keys with their sizes in bytes, in descending order */
  constructor(
    size: number,
    limit: number,
    largest: readonly (readonly [key: string, bytes: number])[] = [],
  ) {
    const keys = largest
      .slice(0, 3)
      .map(([key, bytes]) => `${JSON.stringify(key)} (${bytes} bytes)`);
    const which = keys.length === 0 ? '' : ` Its largest keys: ${keys.join(', ')}.`;
    super(
      'CONTEXT_TOO_LARGE',
      `The context takes ${size} bytes of JSON; the limit is ${limit}.${which} Store large data elsewhere and keep a ` +
        'reference in the context, or raise maxContextSize.',
    );
    this.size = size;
    this.limit = limit;
  }
}

/** An execution that ended but did not complete, as a property of its error. Every `ExecutionResult` fits this type. */
export interface EndedExecution {
  /** The id of the execution. */
  readonly id: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The final status. */
  readonly status: string;
  /** The final context. */
  readonly context: Readonly<Record<string, unknown>>;
  /** The error of a Failed execution. */
  readonly error?: StoredError;
  /** The reason that the caller gave to `cancel`, if the execution is Cancelled. */
  readonly reason?: string;
  /** Its tasks, dependencies before their dependents. */
  readonly tasks: readonly {
    readonly name: string;
    readonly status: string;
    readonly error?: StoredError;
  }[];
}

/**
 * `execute()` or `result()` waited for an execution that Failed: the failure of a task was not handled, or the workflow
 * timed out. With `settled: true`, they return the result instead.
 *
 * `cause` is that failure, with the stored name, message, code and stack.
 *
 * @example
 * ```ts
 * try {
 *   await runner.execute(OrderFulfilment, { orderId: 17 });
 * } catch (error) {
 *   if (!(error instanceof WorkflowFailedError)) throw error;
 *   console.log(error.executionId, error.cause);
 * }
 * ```
 */
export class WorkflowFailedError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The final status of the execution. */
  readonly status = 'Failed' as const;
  /** The ended execution: its tasks with their errors, and the final context. */
  declare readonly execution: EndedExecution;

  constructor(execution: EndedExecution) {
    const failed = execution.tasks.find(
      (task) => task.status === 'Failed' && task.error !== undefined,
    );
    const error = execution.error ?? failed?.error;
    const task = failed === undefined ? '' : ` in task ${JSON.stringify(failed.name)}`;
    const reason = error === undefined ? '.' : `${task}: ${error.name}: ${error.message}`;
    super(
      'WORKFLOW_FAILED',
      `Workflow ${JSON.stringify(execution.workflow)}, execution ${execution.id}, ended Failed${reason}`,
      error === undefined ? undefined : { cause: error },
    );
    this.executionId = execution.id;
    this.workflow = execution.workflow;
    keepQuietly(this, execution);
  }
}

/**
 * `execute()` or `result()` waited for an execution that was Cancelled. With `settled: true`, they return the result
 * instead.
 */
export class WorkflowCancelledError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The final status of the execution. */
  readonly status = 'Cancelled' as const;
  /** The reason that the caller gave to `cancel`. Absent without a reason. */
  readonly reason?: string;
  /** The ended execution: its tasks, and the context so far. */
  declare readonly execution: EndedExecution;

  constructor(execution: EndedExecution) {
    const { reason } = execution;
    super(
      'WORKFLOW_CANCELLED',
      `Workflow ${JSON.stringify(execution.workflow)}, execution ${execution.id}, was Cancelled` +
        `${reason === undefined ? '' : `: ${reason}`}.`,
    );
    this.executionId = execution.id;
    this.workflow = execution.workflow;
    if (reason !== undefined) this.reason = reason;
    keepQuietly(this, execution);
  }
}

/** Adds the execution as a property that is not enumerable: loggers that print properties must not print a context. */
function keepQuietly(error: Error, execution: EndedExecution): void {
  Object.defineProperty(error, 'execution', { value: execution });
}

/** The wait for the end of an execution timed out. The execution continues. */
export class WaitTimeoutError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  /** The timeout of the wait, in milliseconds. */
  readonly timeoutMs: number;

  constructor(executionId: string, timeoutMs: number) {
    super(
      'WAIT_TIMEOUT',
      `Execution ${executionId} had not ended after ${timeoutMs} ms of waiting. It continues: call result() again, or ` +
        'cancel it.',
    );
    this.executionId = executionId;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The execution exceeded the `timeout` of its workflow, which counts from the start of its first task. Its unfinished
 * tasks were cancelled, and it is Failed.
 */
export class WorkflowTimeoutError extends CloacinaError {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The workflow's timeout, in milliseconds. */
  readonly timeoutMs: number;

  constructor(workflow: string, timeoutMs: number) {
    super(
      'WORKFLOW_TIMEOUT',
      `Workflow ${JSON.stringify(workflow)} did not end within its timeout of ${timeoutMs} ms.`,
    );
    this.workflow = workflow;
    this.timeoutMs = timeoutMs;
  }
}
