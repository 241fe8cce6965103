import { CloacinaError } from './cloacina-error.js';

/** An attempt took longer than the task's `timeout`. Its signal aborted with this error. The task is retried. */
export class TaskTimeoutError extends CloacinaError {
  readonly task: string;
  /** The task's timeout, in milliseconds. */
  readonly timeoutMs: number;

  constructor(task: string, timeoutMs: number) {
    super(
      'TASK_TIMEOUT',
      `Task ${JSON.stringify(task)} did not end within its timeout of ${timeoutMs} ms. ` +
        'Pass context.signal to what it waits for, or raise the timeout.',
    );
    this.task = task;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The condition of `deferUntil` was not true within its `timeout`, which counts from the first deferral. The task is
 * not retried, unless its `retryIf` allows it.
 */
export class DeferralTimeoutError extends CloacinaError {
  readonly task: string;
  /** The deferral's timeout, in milliseconds. */
  readonly timeoutMs: number;

  constructor(task: string, timeoutMs: number) {
    super(
      'DEFERRAL_TIMEOUT',
      `Task ${JSON.stringify(task)} waited ${timeoutMs} ms with deferUntil() for a condition that did not come true.`,
    );
    this.task = task;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * No signal or event came within the `timeout` of a `@WaitFor` node with `onTimeout: 'fail'`. The node is Failed and not
 * retried; `taskFailed` of it handles the failure. `context.waitFor()` returns `undefined` instead.
 */
export class SignalTimeoutError extends CloacinaError {
  /** The name of the node. */
  readonly task: string;
  /** The name of the signal or event. */
  readonly awaited: string;
  /** The timeout of the wait, in milliseconds. */
  readonly timeoutMs: number;

  constructor(
    task: string,
    awaited: { kind: 'signal' | 'event'; name: string },
    timeoutMs: number,
  ) {
    super(
      'SIGNAL_TIMEOUT',
      `Task ${JSON.stringify(task)} waited ${timeoutMs} ms for the ${awaited.kind} ${JSON.stringify(awaited.name)}, which ` +
        "did not come. Handle it in a task with taskFailed(), set onTimeout to 'skip' or 'complete', or raise the timeout.",
    );
    this.task = task;
    this.awaited = awaited.name;
    this.timeoutMs = timeoutMs;
  }
}

/** The task was lost with its process more than `maxRecoveryAttempts` times. It is Failed and not retried. */
export class TaskAbandonedError extends CloacinaError {
  readonly task: string;
  /** The ids of the lost instances that ran the task, oldest first. */
  readonly owners: readonly string[];

  constructor(task: string, owners: readonly string[]) {
    super(
      'TASK_ABANDONED',
      `Task ${JSON.stringify(task)} was abandoned: ${owners.length} ${owners.length === 1 ? 'process' : 'processes'} ` +
        `that ran it ended without an outcome (${owners.join(', ')}). Check whether the task itself ends its process, ` +
        'for example by running out of memory; then retry the execution.',
    );
    this.task = task;
    this.owners = Object.freeze([...owners]);
  }
}

/**
 * This process no longer holds its claim on the task: the task was cancelled, a shutdown gave it back, or another process
 * took it over because this one counted as lost. It is the `reason` of the task's signal. The outcome is not recorded,
 * and no attempt is charged.
 */
export class ClaimLostError extends CloacinaError {
  readonly task: string;
  /** The id of the execution. */
  readonly executionId: string;

  constructor(task: string, executionId: string) {
    super(
      'CLAIM_LOST',
      `This process no longer holds task ${JSON.stringify(task)} of execution ${executionId}: it was cancelled, given ` +
        'back by a shutdown, or taken over. Its outcome is not recorded.',
    );
    this.task = task;
    this.executionId = executionId;
  }
}
