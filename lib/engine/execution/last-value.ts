import { from, lastValueFrom, Observable, takeUntil, type ObservableInput } from 'rxjs';

/**
 * What a handler returned as an Observable: its last value, as Nest takes it from controllers; undefined from one that
 * ends without a value. It is unsubscribed from when the signal aborts, so that its work ends then.
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
