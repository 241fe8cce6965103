import type { MessageEvent } from '@nestjs/common';
import { Observable, type Subscription } from 'rxjs';
import { systemClock } from '../runtime/clock.js';

/** How often a stream asks again what its user may see, and when it ends, so that the guards decide anew; in milliseconds. */
const RECHECK_MS = 15_000;
const MAX_STREAM_MS = 600_000;

/**
 * A stream for one connection. What the user may see is asked again while it is open: if the answer is another one, the source
 * changes; if the call fails, the stream ends. It ends after ten minutes in any case. Browsers then connect again.
 *
 * @param open - asks what the user may see, and returns its name and how to stream it
 */
export function guardedStream(
  open: () => Promise<{ readonly key: string; readonly source: () => Observable<MessageEvent> }>,
): Observable<MessageEvent> {
  return new Observable<MessageEvent>((subscriber) => {
    let current: { readonly key: string; readonly subscription: Subscription } | undefined;
    const check = async (): Promise<void> => {
      try {
        const { key, source } = await open();
        if (subscriber.closed || current?.key === key) return;
        current?.subscription.unsubscribe();
        const subscription = source().subscribe({
          next: (event) => subscriber.next(event),
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        });
        current = { key, subscription };
        if (subscriber.closed) subscription.unsubscribe();
      } catch (error) {
        if (current === undefined) subscriber.error(error);
        else subscriber.complete();
      }
    };
    const recheck = systemClock.interval(() => void check(), RECHECK_MS);
    const end = systemClock.timer(() => subscriber.complete(), MAX_STREAM_MS);
    void check();
    return () => {
      recheck.cancel();
      end.cancel();
      current?.subscription.unsubscribe();
    };
  });
}

/** An async iterable that ends when the stream is left. */
export function streamOf<T>(
  iterate: (signal: AbortSignal) => AsyncIterable<T>,
  eventOf: (value: T) => MessageEvent,
): Observable<MessageEvent> {
  return new Observable<MessageEvent>((subscriber) => {
    const abort = new AbortController();
    const ping = systemClock.interval(() => subscriber.next({ type: 'ping', data: {} }), 15_000);
    void (async () => {
      try {
        for await (const value of iterate(abort.signal)) subscriber.next(eventOf(value));
        subscriber.complete();
      } catch (error) {
        subscriber.error(error);
      }
    })();
    return () => {
      ping.cancel();
      abort.abort();
    };
  });
}
