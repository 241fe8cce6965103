import { Duplex } from 'node:stream';
import type pg from 'pg';

/** How long the server may take to answer a statement of the library's own, in milliseconds; far above what any takes. */
export const ANSWER_TIMEOUT_MS = 30_000;

/** Ends a connection without a goodbye: the other side may not hear it. What waits for an answer on it fails. */
export function destroySocket(client: pg.ClientBase): void {
  const connection: unknown = Reflect.get(client, 'connection');
  if (typeof connection !== 'object' || connection === null) return;
  const stream: unknown = Reflect.get(connection, 'stream');
  if (stream instanceof Duplex) stream.destroy();
}

/** A network that swallows what is sent leaves a connection that looks open for hours: it is cut. */
export async function withAnswerTimeout<T>(
  client: pg.ClientBase,
  work: () => Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => destroySocket(client), ANSWER_TIMEOUT_MS);
  timer.unref();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/** {@link withAnswerTimeout} for one text, with a callback: between a pool and TypeORM, both of which speak those. */
export function queryWithTimeout<R>(
  client: pg.ClientBase,
  query: string | pg.QueryConfig,
  finish: (error: Error | undefined, result: R | undefined) => void,
): void {
  const timer = setTimeout(() => destroySocket(client), ANSWER_TIMEOUT_MS);
  timer.unref();
  const callback = (error: Error | null, result: unknown): void => {
    clearTimeout(timer);
    finish(error ?? undefined, result as R | undefined);
  };
  if (typeof query === 'string') client.query(query, callback);
  else client.query(query, callback);
}
