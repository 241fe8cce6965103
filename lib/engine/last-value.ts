import type { Observable } from 'rxjs';

/**
 * What a handler returned as an Observable: its last value, as Nest takes it from controllers; undefined from one that
 * ends without a value. It is unsubscribed from when the signal aborts, so that its work ends then.
 */
export function lastValue(observable: Observable<unknown>, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let last: unknown;
    const done = (end: () => void): void => {
      signal.removeEventListener('abort', abort);
      end();
    };
    const abort = (): void => {
      subscription?.unsubscribe();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    const subscription = observable.subscribe({
      next: (value) => {
        last = value;
      },
      error: (error: unknown) => done(() => reject(error)),
      complete: () => done(() => resolve(last)),
    }) as { unsubscribe(): void } | undefined;
    if (signal.aborted) abort();
  });
}
