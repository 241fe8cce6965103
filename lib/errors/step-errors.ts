import { CloacinaError } from './cloacina-error.js';

/**
 * A handler used the name of a step or wait twice in one run. The task fails and is not retried, because its next run
 * would do the same.
 */
export class DuplicateStepError extends CloacinaError {
  readonly task: string;
  /** The name, with its key after `#`. */
  readonly step: string;

  constructor(task: string, step: string) {
    super(
      'DUPLICATE_STEP',
      `Task ${JSON.stringify(task)} used the name ${JSON.stringify(step)} twice in one run. Names tell which step a ` +
        "recorded result belongs to. In a loop, add a key: context.step('page', { key: number }, …).",
    );
    this.task = task;
    this.step = step;
  }
}

/** A task has as many steps and waits as it may. It fails and is not retried. */
export class TooManyStepsError extends CloacinaError {
  readonly task: string;
  readonly limit: number;

  constructor(task: string, limit: number) {
    super(
      'TOO_MANY_STEPS',
      `Task ${JSON.stringify(task)} has ${limit} steps, which is the limit. Do more in each step, for example a page of ` +
        'rows, or divide the work among several tasks or executions.',
    );
    this.task = task;
    this.limit = limit;
  }
}
