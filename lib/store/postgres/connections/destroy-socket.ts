import { Duplex } from 'node:stream';
import type pg from 'pg';
import { untraced } from '../../../runtime/untraced.js';

/**
 * How long the server may take to answer a statement of the library, in milliseconds; far longer than any statement
 * takes.
 */
export const ANSWER_TIMEOUT_MS = 30_000;

/** Closes a connection without a message to the server, which may be unreachable. Pending statements fail. */
export function destroySocket(client: pg.ClientBase): void {
  const connection: unknown = Reflect.get(client, 'connection');
  if (typeof connection !== 'object' || connection === null) return;
  const stream: unknown = Reflect.get(connection, 'stream');
  if (stream instanceof Duplex) stream.destroy();
}

/**
 * Runs `work`, and closes the connection if it takes too long: a network that drops packets keeps it open for hours.
 */
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

/** {@link withAnswerTimeout} for one query with a callback, as pools and TypeORM use it. */
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
  untraced(() => {
    if (typeof query === 'string') client.query(query, callback);
    else client.query(query, callback);
  });
}
