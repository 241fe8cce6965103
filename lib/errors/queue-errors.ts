import { CloacinaError } from './cloacina-error.js';

/**
 * A workflow has as many executions that have not begun as its `maxPending` allows. Nothing was stored.
 *
 * @example
 * ```ts
 * try {
 *   await runner.start(SendInvoice, input);
 * } catch (error) {
 *   if (error instanceof QueueFullError) return tryAgainLater();
 *   throw error;
 * }
 * ```
 */
export class QueueFullError extends CloacinaError {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The number of executions that have not begun, as far as it was counted: at least `maxPending`. */
  readonly pending: number;
  /** The `maxPending` of the workflow. */
  readonly maxPending: number;

  constructor(workflow: string, pending: number, maxPending: number) {
    super(
      'QUEUE_FULL',
      `Workflow ${JSON.stringify(workflow)} was not started: ${pending} of its executions have not begun, and its ` +
        `maxPending is ${maxPending}. Try again later, add workers, or raise maxPending.`,
    );
    this.workflow = workflow;
    this.pending = pending;
    this.maxPending = maxPending;
  }
}
