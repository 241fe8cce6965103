import { from, lastValueFrom, Observable, takeUntil, type ObservableInput } from 'rxjs';

/**
 * Resolves with the last value of an Observable that a handler returned, as Nest does for controllers; undefined if it
 * ends without a value. Unsubscribes when the signal aborts, which ends the Observable's work.
 */
export function lastValue(
  observable: ObservableInput<unknown>,
  signal: AbortSignal,
): Promise<unknown> {
  const aborted = new Observable<never>((subscriber) => {
    const fail = (): void => subscriber.error(signal.reason);
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
    return () => signal.removeEventListener('abort', fail);
  });
  return lastValueFrom(from(observable).pipe(takeUntil(aborted)), { defaultValue: undefined });
}
