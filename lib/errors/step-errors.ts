import { CloacinaError } from './cloacina-error.js';

/** How each kind gets another name. A wait for a message has a name of its own only if its options give one. */
const WAIT_ADVICE = "Give the wait a name: context.waitFor(Approval, { name: 'second approval' }).";
const ADVICE = {
  step: "In a loop, add a key: context.step('page', { key: number }, …).",
  sleep: "Give each sleep a name of its own: context.sleep('before the second reminder', '3d').",
  signal: WAIT_ADVICE,
  event: WAIT_ADVICE,
  child:
    'Give the child a name, or in a loop a key: context.execute(ScanPage, { url }, { key: url }).',
} as const;

/**
 * A handler used the name of a step or wait twice in one run. The task fails and is not retried, because its next run
 * would do the same.
 */
export class DuplicateStepError extends CloacinaError {
  readonly task: string;
  /** The name, with its key after `#`. */
  readonly step: string;

  /** @param kind - what used the name for the second time. Default: a step */
  constructor(
    task: string,
    step: string,
    kind: 'step' | 'sleep' | 'signal' | 'event' | 'child' = 'step',
  ) {
    super(
      'DUPLICATE_STEP',
      `Task ${JSON.stringify(task)} used the name ${JSON.stringify(step)} twice in one run. Names tell which step or wait ` +
        `a recorded result belongs to. ${ADVICE[kind]}`,
    );
    this.task = task;
    this.step = step;
  }
}

/** The results of a task's steps and waits are larger together than `maxStepsSize`. The task fails and is not retried. */
export class StepsTooLargeError extends CloacinaError {
  readonly task: string;
  /** Size of all results with the one that does not fit, in bytes of JSON. */
  readonly size: number;
  /** In bytes of JSON. */
  readonly limit: number;

  constructor(task: string, size: number, limit: number) {
    super(
      'STEPS_TOO_LARGE',
      `The results of the steps and waits of task ${JSON.stringify(task)} have ${size} bytes together; the limit is ${limit} ` +
        '(maxStepsSize), because each run of the task reads all of them. Store large results elsewhere and return their keys, ' +
        'or divide the work among several tasks or executions.',
    );
    this.task = task;
    this.size = size;
    this.limit = limit;
  }
}

/** A task has as many steps and waits as it may. It fails and is not retried. */
export class TooManyStepsError extends CloacinaError {
  readonly task: string;
  /** The largest number of steps and waits: `maxSteps`. */
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
