import { EventEmitter } from 'node:events';
import type { ClientBase } from 'pg';

/**
 * The transaction status that the server reports after each statement: idle, in a transaction, in a failed transaction.
 */
export type TransactionStatus = 'I' | 'T' | 'E';

const lastStatus = new WeakMap<ClientBase, TransactionStatus>();
const watched = new WeakSet<ClientBase>();
/** Clients on which a transaction has ended since the last {@link takeTransactionEnd}. */
const ended = new WeakSet<ClientBase>();

function isStatus(value: unknown): value is TransactionStatus {
  return value === 'I' || value === 'T' || value === 'E';
}

/** The driver's connection of the client, which emits the server's messages. */
export function connectionOf(client: ClientBase): EventEmitter | undefined {
  const connection: unknown = Reflect.get(client, 'connection');
  return connection instanceof EventEmitter ? connection : undefined;
}

/**
 * Starts recording the client's transaction status. Newer versions of `pg` record it themselves, but the supported range
 * includes older versions.
 */
export function watchTransactions(client: ClientBase): void {
  if (watched.has(client)) return;
  watched.add(client);
  connectionOf(client)?.on('readyForQuery', (message: unknown) => {
    const status: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'status') : undefined;
    if (isStatus(status)) lastStatus.set(client, status);
  });
  connectionOf(client)?.on('commandComplete', (message: unknown) => {
    const tag: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'text') : undefined;
    if (tag === 'COMMIT' || tag === 'ROLLBACK') ended.add(client);
  });
}

/**
 * Whether a transaction has ended on a watched client since the last call. With `AND CHAIN` the next transaction begins in
 * the same command, so the status alone doesn't show it. A rollback to a savepoint has the same tag and counts too.
 */
export function takeTransactionEnd(client: ClientBase): boolean {
  return ended.delete(client);
}

/** The status of a watched client after its last statement; `I` before its first. */
export function transactionStatus(client: ClientBase): TransactionStatus {
  return lastStatus.get(client) ?? 'I';
}

/**
 * Whether the server has finished everything that was sent. The error of a failed statement arrives before that, perhaps
 * in an earlier packet than the transaction status after it.
 */
export function isSettled(client: ClientBase): boolean {
  return Reflect.get(client, 'readyForQuery') !== false;
}

/**
 * Calls back once the client is settled or its connection has ended, possibly at once. Returns a function that cancels
 * the wait.
 */
export function whenSettled(client: ClientBase, callback: () => void): () => void {
  const connection = connectionOf(client);
  if (isSettled(client) || connection === undefined) {
    callback();
    return () => undefined;
  }
  const stop = (): void => {
    connection.off('readyForQuery', look);
    client.off('end', finish);
  };
  const finish = (): void => {
    stop();
    callback();
  };
  // The client may have sent its next queued statement by now.
  const look = (): void => {
    if (isSettled(client)) finish();
  };
  connection.on('readyForQuery', look);
  client.on('end', finish);
  return stop;
}
