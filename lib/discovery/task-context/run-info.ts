import type { ScheduleInfo } from '../../workflow/schedule/schedule-info.js';

/** What is known about this run of a task. */
export interface TaskRunInfo {
  /** The id of the execution, a UUID. */
  readonly executionId: string;
  /** The task's name. */
  readonly taskName: string;
  /** The workflow's name. */
  readonly workflow: string;
  /** The tenant's name. */
  readonly tenant: string;
  /**
   * The number of the attempt, from 1. Only a recorded failure adds 1: a lost process or a deferral costs no attempt.
   */
  readonly attempt: number;
  /** The number of attempts that the task has, including the first. */
  readonly maxAttempts: number;
  /** How often the task was recovered from a lost process since its last recorded outcome; 0 in the first run. */
  readonly recoveryAttempt: number;
  /**
   * A key for effects outside the database. It is the same in all runs of this task of this execution: retries,
   * recoveries and manual retries.
   */
  readonly idempotencyKey: string;
  /**
   * Aborts when the attempt times out, the execution is cancelled, the process shuts down, or the claim is lost. Its
   * `reason` is the error.
   */
  readonly signal: AbortSignal;
  /**
   * Whether this run of the handler ends without an outcome, because a wait suspended the task or `deferUntil` deferred it.
   * For `finally` blocks, which run at each suspension.
   */
  readonly suspending: boolean;
  /**
   * The firing that started the execution, so that a late run computes for its own time. Undefined if no schedule started it.
   *
   * @example
   * ```ts
   * const day = context.schedule?.scheduledAt ?? new Date();
   * ```
   */
  readonly schedule: ScheduleInfo | undefined;
}
