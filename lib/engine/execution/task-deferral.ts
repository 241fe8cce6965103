import type { DeferOptions } from '../../discovery/task-context/durable-waits.js';
import { DeferralTimeoutError, InvalidArgumentError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import { DURATION_FORM, parseDuration, type Duration } from '../../workflow/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { TaskClaim } from '../claims/task-claim.js';

/** Default interval of a deferred task's checks, in milliseconds. */
const DEFAULT_DEFERRAL_INTERVAL_MS = 5_000;

const DEFER_OPTIONS: ReadonlySet<string> = new Set<keyof DeferOptions>(['every', 'timeout']);

/** Stops the handler of a deferred task. Catching it does not undo the deferral. */
export class DeferralSignal extends Error {
  override readonly name = 'DeferralSignal';

  constructor() {
    super('Control-flow signal of deferUntil(): do not catch it. The task will run again later.');
  }
}

/**
 * Whether an error is the signal with which `deferUntil` stops the handler. It is not a failure: rethrow it.
 *
 * @example
 * ```ts
 * catch (error) {
 *   if (!isDeferral(error)) this.failures.increment();
 *   throw error;
 * }
 * ```
 */
export function isDeferral(error: unknown): boolean {
  return error instanceof DeferralSignal;
}

/** The `deferUntil` calls of one run of a task. */
export class TaskDeferral {
  /**
   * Time until the next check, in milliseconds; set once a call has deferred the task, even if the signal was caught.
   */
  everyMs: number | undefined;
  /** The latest call. */
  last: Promise<unknown> | undefined;
  /** Number of calls that have not settled. */
  private asking = 0;

  constructor(
    private readonly claim: TaskClaim,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  get isAsking(): boolean {
    return this.asking > 0;
  }

  until(condition: () => unknown, options: DeferOptions): Promise<unknown> {
    this.asking++;
    const asked = this.ask(condition, options).finally(() => this.asking--);
    // A call that the handler does not await must not end the process by an unhandled rejection.
    asked.catch(() => undefined);
    this.last = asked;
    return asked;
  }

  private async ask(condition: () => unknown, options: DeferOptions): Promise<unknown> {
    checkCallOptions('deferUntil()', options, DEFER_OPTIONS);
    const everyMs = durationOf('every', options.every) ?? DEFAULT_DEFERRAL_INTERVAL_MS;
    const timeoutMs = durationOf('timeout', options.timeout);
    const found = await condition();
    // Not `true` itself: a handler that returns the call would have it as its result, which is not an object.
    if (found) return found === true ? undefined : found;
    const { deferredForMs, claimedAt, task } = this.claim;
    const waitedMs = deferredForMs === null ? 0 : deferredForMs + (this.clock.now() - claimedAt);
    if (timeoutMs !== undefined && waitedMs >= timeoutMs) {
      throw new DeferralTimeoutError(task.name, timeoutMs);
    }
    // The last check comes at the end of the timeout, not up to an interval later.
    const leftMs = timeoutMs === undefined ? Infinity : timeoutMs - waitedMs;
    this.everyMs = Math.min(everyMs, leftMs);
    throw new DeferralSignal();
  }
}

function durationOf(name: string, value: Duration | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(value);
  if (ms === undefined) {
    throw new InvalidArgumentError(name, `must be ${DURATION_FORM}, not ${formatValue(value)}`);
  }
  return ms;
}
