import { CloacinaError } from './cloacina-error.js';
import type { StoredError } from '../workflow/describe-error.js';

/** A child as its errors name it. */
export interface EndedChild {
  /** The id of the child. */
  readonly id: string;
  /** The name of its workflow. */
  readonly workflow: string;
  /** The error of a Failed child. */
  readonly error?: StoredError | undefined;
  /** The reason of a Cancelled child, if the caller of `cancel` gave one. */
  readonly reason?: string | undefined;
}

/**
 * An execution that a task started with `context.execute()` ended Failed. The task fails and is not retried, because the
 * child has had its own attempts: retry the parent, which retries its failed children, or catch the error.
 *
 * `cause` is the child's failure, with the stored name, message, code and stack.
 *
 * @example
 * ```ts
 * try {
 *   await context.execute(RenderPdf, { invoiceId });
 * } catch (error) {
 *   if (!(error instanceof ChildFailedError)) throw error;
 *   return { pdf: null, failedChild: error.childId };
 * }
 * ```
 */
export class ChildFailedError extends CloacinaError {
  /** The id of the child. */
  readonly childId: string;
  /** The name of the workflow of the child. */
  readonly workflow: string;
  /** The final status of the child. */
  readonly status = 'Failed' as const;

  constructor({ id, workflow, error }: EndedChild) {
    const reason = error === undefined ? '.' : `: ${error.name}: ${error.message}`;
    super(
      'CHILD_FAILED',
      `The child ${JSON.stringify(workflow)}, execution ${id}, ended Failed${reason}`,
      error === undefined ? undefined : { cause: error },
    );
    this.childId = id;
    this.workflow = workflow;
  }
}

/** An execution that a task started with `context.execute()` was Cancelled. The task fails and is not retried. */
export class ChildCancelledError extends CloacinaError {
  /** The id of the child. */
  readonly childId: string;
  /** The name of the workflow of the child. */
  readonly workflow: string;
  /** The final status of the child. */
  readonly status = 'Cancelled' as const;
  /** The reason that the caller gave to `cancel`. Absent without a reason. */
  readonly reason?: string;

  constructor({ id, workflow, reason }: EndedChild) {
    super(
      'CHILD_CANCELLED',
      `The child ${JSON.stringify(workflow)}, execution ${id}, was Cancelled` +
        `${reason === undefined ? '' : `: ${reason}`}.`,
    );
    this.childId = id;
    this.workflow = workflow;
    if (reason !== undefined) this.reason = reason;
  }
}

/** An execution that a task waits for was deleted from the database. The task fails and is not retried. */
export class ChildMissingError extends CloacinaError {
  /** The id of the child. */
  readonly childId: string;

  constructor(childId: string) {
    super(
      'CHILD_MISSING',
      `Execution ${childId}, which this task waits for, was deleted. Retry the parent with { steps: 'discard' } to start ` +
        'another one.',
    );
    this.childId = childId;
  }
}
