import type { Clock } from '../../runtime/clock.js';

/** What the suspended run of a task waits for. */
export class Suspension {
  /** When the task has to run again, by the clock's `now()`; Infinity: when it is woken. */
  private wakeAt = Infinity;
  /** Number of waits that are to be over together, and whether there are others too. */
  private joining = 0;
  private hasSingleWait = false;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** Adds a wait. The first deadline of several waits counts. */
  add(wakeAt: number, joins: boolean): void {
    this.wakeAt = Math.min(this.wakeAt, wakeAt);
    if (joins) this.joining++;
    else this.hasSingleWait = true;
  }

  /** Time until the task has to run again, in milliseconds. Null: when it is woken. */
  get delayMs(): number | null {
    return this.wakeAt === Infinity ? null : Math.max(0, this.wakeAt - this.clock.now());
  }

  /** Number of children of which only the last one has to wake the task. 0: any wake-up does. */
  get joins(): number {
    return this.hasSingleWait ? 0 : this.joining;
  }
}

/** Stops the handler of a task that goes to sleep. Catching it does not undo the suspension. */
export class SuspensionSignal extends Error {
  override readonly name = 'SuspensionSignal';

  constructor() {
    super(
      'Control-flow signal of a wait: do not catch it. The task runs again from its beginning when the wait is over.',
    );
  }
}

/**
 * Whether an error is the signal with which a wait, such as `context.sleep()`, stops the handler. It is not a failure:
 * rethrow it.
 *
 * @example
 * ```ts
 * catch (error) {
 *   if (!isSuspension(error)) this.failures.increment();
 *   throw error;
 * }
 * ```
 */
export function isSuspension(error: unknown): boolean {
  return error instanceof SuspensionSignal;
}
