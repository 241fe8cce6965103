import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { LastingFailure } from '../../runtime/lasting-failure.js';
import { reconnectDelayMs } from '../../runtime/reconnect-delay.js';

/** Pause after a failed claiming statement, in milliseconds. Doubles up to the maximum. */
const CLAIM_RETRY_MS = 250;
const MAX_CLAIM_RETRY_MS = 30_000;
/** Maximum pause after a failure that passes by itself, such as a lock timeout, in milliseconds. */
export const MAX_PASSING_RETRY_MS = 1_000;
/** How long claims skip locked executions after a lock timeout, in milliseconds. */
const PAST_LOCKS_MS = 30_000;

export interface ClaimFailuresParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: FailureClassifier;
}

/** Decides when a claim that failed is sent again. */
export class ClaimFailures {
  private readonly logger = new Logger('Cloacina');
  private count = 0;
  private pastLocksUntil = -Infinity;
  private readonly lasting: LastingFailure;

  /** @param claimed - a description of the claim, for the log */
  constructor(
    private readonly parts: ClaimFailuresParts,
    private readonly claimed: string,
  ) {
    this.lasting = new LastingFailure(parts.clock);
  }

  /** Whether claims skip locked executions for now, because one waited too long for a lock. */
  get passLocks(): boolean {
    return this.parts.clock.now() < this.pastLocksUntil;
  }

  /** Whether the latest failure followed a success. */
  get isFirst(): boolean {
    return this.count === 1;
  }

  succeeded(): void {
    this.count = 0;
    this.lasting.passed();
  }

  /** Returns the pause before the next claim, in milliseconds. */
  failed(error: unknown): number {
    const { clock, store } = this.parts;
    const { kind, retryable, isLockTimeout } = store.classifyFailure(error);
    const longest = retryable ? MAX_PASSING_RETRY_MS : MAX_CLAIM_RETRY_MS;
    const pauseMs =
      kind === 'connection'
        ? reconnectDelayMs(this.count, clock)
        : Math.min(CLAIM_RETRY_MS * 2 ** this.count, longest);
    this.count++;
    if (isLockTimeout) this.pastLocksUntil = clock.now() + PAST_LOCKS_MS;
    this.report(error, retryable);
    return pauseMs;
  }

  /** A failure that does not pass by itself is reported at once, and any other one if it lasts. */
  private report(error: unknown, retryable: boolean): void {
    const claiming = `Tenant "${this.parts.tenant}": claiming ${this.claimed}`;
    const { message } = toStoredError(error);
    const seconds = this.lasting.failed();
    if (!retryable && this.isFirst) {
      this.logger.error(`${claiming} failed and will be retried: ${message}`);
    } else if (seconds !== undefined) {
      this.logger.error(`${claiming} has failed for ${seconds} s and will be retried: ${message}`);
    }
  }
}
