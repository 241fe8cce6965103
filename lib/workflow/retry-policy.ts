/** The number of attempts of a task, and the delays between them. */
export interface RetryPolicy {
  /** The number of attempts, including the first; at least 1. */
  readonly maxAttempts: number;
  /** How the delay grows from attempt to attempt. */
  readonly backoff: 'fixed' | 'linear' | 'exponential';
  /** The delay before the second attempt, in milliseconds. */
  readonly delayMs: number;
  /** The longest delay, in milliseconds. */
  readonly maxDelayMs: number;
  /** Whether each delay is drawn at random between 50 % and 100 %. */
  readonly jitter: boolean;
}

/** The default retry policy: 3 attempts, with exponential delays from 1 s to 30 s and jitter. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 3,
  backoff: 'exponential',
  delayMs: 1_000,
  maxDelayMs: 30_000,
  jitter: true,
};

/** Whether `value` names a backoff. In plain JavaScript it may be of any type. */
export function isBackoff(value: unknown): value is RetryPolicy['backoff'] {
  return value === 'fixed' || value === 'linear' || value === 'exponential';
}

/**
 * The delay after the failure of attempt `failedAttempt` (1 for the first), in whole milliseconds. It is `delayMs`
 * (fixed), `delayMs` times the attempt (linear), or doubles with each attempt (exponential), and is at most
 * `maxDelayMs`.
 *
 * With jitter, the delay is drawn between 50 % and 100 %. So tasks that failed together are not retried together, and
 * none is retried at once. `random` is in [0, 1).
 */
export function retryDelayMs(policy: RetryPolicy, failedAttempt: number, random: number): number {
  const whole = Math.min(
    policy.delayMs * growth(policy.backoff, Math.max(1, failedAttempt)),
    policy.maxDelayMs,
  );
  return Math.floor(policy.jitter ? whole / 2 + (whole / 2) * random : whole);
}

function growth(backoff: RetryPolicy['backoff'], failedAttempt: number): number {
  switch (backoff) {
    case 'fixed':
      return 1;
    case 'linear':
      return failedAttempt;
    case 'exponential':
      // Capped, because 0 × Infinity is NaN. 2^60 exceeds every maximum.
      return 2 ** Math.min(failedAttempt - 1, 60);
  }
}
