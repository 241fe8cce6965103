import { CloacinaError } from './cloacina-error.js';
import type { StoredError } from '../workflow/describe-error.js';

/** The change that was asked for is not legal in the state that the execution or task is in. Nothing was changed. */
export class InvalidTransitionError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  /** The status it has. */
  readonly from: string;
  /** What was asked for: `pause`, `resume`, `cancel`, `retry`. */
  readonly action: string;

  /** @param rule - the sentence that says of which executions the action is legal, for the message */
  constructor(executionId: string, from: string, action: string, rule = '') {
    const message = `Cannot ${action} execution ${executionId}: it is ${from}. ${rule}`;
    super('INVALID_TRANSITION', message.trimEnd());
    this.executionId = executionId;
    this.from = from;
    this.action = action;
  }
}

/** A value that a context cannot carry, because JSON or PostgreSQL cannot, or because it fails the input's schema. */
export class InvalidContextError extends CloacinaError {
  /** The top-level key; empty when the context itself is at fault. */
  readonly key: string;
  /** The way to the bad value within the context, such as `order.items[2].price`. */
  readonly path: string;

  /** @param problem - a clause that follows the path, such as `is NaN, which JSON cannot carry` */
  constructor(key: string, path: string, problem: string, options?: ErrorOptions) {
    super(
      'INVALID_CONTEXT',
      `The context's ${path === '' ? 'root' : JSON.stringify(path)} ${problem}.`,
      options,
    );
    this.key = key;
    this.path = path;
  }
}

/** The context, merged, is over `maxContextSize`. A task that hits this fails and is not retried. */
export class ContextTooLargeError extends CloacinaError {
  /** Bytes of JSON. */
  readonly size: number;
  /** The limit in bytes. */
  readonly limit: number;

  /** @param largest - the keys that take most, largest first, each with its bytes */
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

/** An execution that did not complete, as its error has it; every `ExecutionResult` is one. */
export interface EndedExecution {
  readonly id: string;
  readonly workflow: string;
  readonly status: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly error?: StoredError;
  /** Of a Cancelled execution: what `cancel` was told. */
  readonly reason?: string;
  readonly tasks: readonly {
    readonly name: string;
    readonly status: string;
    readonly error?: StoredError;
  }[];
}

/**
 * The execution that was waited for has Failed: a task's failure was not handled, or the workflow's timeout was over.
 * `execute()` and `result()` reject with it; `{ settled: true }` gives the result instead.
 *
 * `cause` is that failure, with the name, the message, the code and the stack that were stored.
 */
export class WorkflowFailedError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  readonly workflow: string;
  readonly status = 'Failed' as const;
  /** The execution as it ended: its tasks, their errors, the final context. */
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
 * The execution that was waited for was Cancelled. `execute()` and `result()` reject with it; `{ settled: true }` gives
 * the result instead.
 */
export class WorkflowCancelledError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;
  readonly workflow: string;
  readonly status = 'Cancelled' as const;
  /** What `cancel` was told, if anything. */
  readonly reason?: string;
  /** The execution as it ended: its tasks, the context so far. */
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

/** Not enumerable: a logger that prints the error's properties must not print a whole context. */
function keepQuietly(error: Error, execution: EndedExecution): void {
  Object.defineProperty(error, 'execution', { value: execution });
}

/** The wait for an execution's end was over before the execution was. The execution goes on. */
export class WaitTimeoutError extends CloacinaError {
  readonly executionId: string;
  /** How long was waited, in milliseconds. */
  readonly timeoutMs: number;

  constructor(executionId: string, timeoutMs: number) {
    super(
      'WAIT_TIMEOUT',
      `Execution ${executionId} had not ended after ${timeoutMs} ms of waiting. It goes on: ask for its result() ` +
        'again, or cancel it.',
    );
    this.executionId = executionId;
    this.timeoutMs = timeoutMs;
  }
}

/** The execution's `timeout` was over, counted from its start; what had not ended was cancelled and it is Failed. */
export class WorkflowTimeoutError extends CloacinaError {
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
