import { CloacinaError } from './cloacina-error.js';

/** An attempt took longer than the task's `timeout`. Its signal was aborted with this error; it is retried. */
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

/** The condition of `deferUntil` did not come true within its `timeout`, from the first deferral. It is not retried, unless `retryIf` allows it. */
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

/** The task was lost with its process more often than `maxRecoveryAttempts`; it is Failed and not retried. */
export class TaskAbandonedError extends CloacinaError {
  readonly task: string;
  /** The processes that held it and were lost, oldest first. */
  readonly owners: readonly string[];

  constructor(task: string, owners: readonly string[]) {
    super(
      'TASK_ABANDONED',
      `Task ${JSON.stringify(task)} was abandoned: ${owners.length} ${owners.length === 1 ? 'process' : 'processes'} ` +
        `that ran it ended without an outcome (${owners.join(', ')}). See whether the task itself ends its process, ` +
        'by running out of memory for example; then retry the execution.',
    );
    this.task = task;
    this.owners = Object.freeze([...owners]);
  }
}

/**
 * The task is no longer this process's: it was cancelled, or recovered by another process which took this one for
 * lost. The reason of the task's signal; what the task returns is not recorded, and no attempt is charged.
 */
export class ClaimLostError extends CloacinaError {
  readonly task: string;
  readonly executionId: string;

  constructor(task: string, executionId: string) {
    super(
      'CLAIM_LOST',
      `This process no longer holds task ${JSON.stringify(task)} of execution ${executionId}: it was cancelled or ` +
        'taken over. Its outcome is not recorded.',
    );
    this.task = task;
    this.executionId = executionId;
  }
}
