/** How long to wait between attempts, and how many to make. */
export interface RetryPolicy {
  /** All attempts, the first included; at least 1. */
  readonly maxAttempts: number;
  readonly backoff: 'fixed' | 'linear' | 'exponential';
  /** Milliseconds before the second attempt. */
  readonly delayMs: number;
  /** Milliseconds; no delay is longer, whatever the backoff and the jitter. */
  readonly maxDelayMs: number;
  /** Whether each delay is drawn between its half and its whole. */
  readonly jitter: boolean;
}

/** What holds where a task's `retry` says nothing: 3 attempts, exponential from 1 s up to 30 s, with jitter. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 3,
  backoff: 'exponential',
  delayMs: 1_000,
  maxDelayMs: 30_000,
  jitter: true,
};

/** Whether `value` names a backoff; plain JavaScript may pass anything. */
export function isBackoff(value: unknown): value is RetryPolicy['backoff'] {
  return value === 'fixed' || value === 'linear' || value === 'exponential';
}

/**
 * Whole milliseconds to wait after the failure of attempt `failedAttempt` (1 for the first): `delayMs` each time
 * (fixed), times the attempt (linear), or doubled with each attempt (exponential), never above `maxDelayMs`.
 *
 * With jitter, the delay is drawn between its half and its whole: retries that failed together spread out, yet none
 * comes at once. `random` is in [0, 1).
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
      // Capped, for 0 × Infinity is NaN; 2^60 is above every maximum already.
      return 2 ** Math.min(failedAttempt - 1, 60);
  }
}
