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
