import { EventEmitter } from 'node:events';
import type { ClientBase } from 'pg';

/** As the server says after each statement: idle, in a transaction, in a transaction that an error has ended. */
export type TransactionStatus = 'I' | 'T' | 'E';

const lastStatus = new WeakMap<ClientBase, TransactionStatus>();
const watched = new WeakSet<ClientBase>();
/** Clients on which a transaction has ended since {@link takeTransactionEnd} was asked. */
const ended = new WeakSet<ClientBase>();

function isStatus(value: unknown): value is TransactionStatus {
  return value === 'I' || value === 'T' || value === 'E';
}

/** The driver's connection under the client, which tells what the server says. */
export function connectionOf(client: ClientBase): EventEmitter | undefined {
  const connection: unknown = Reflect.get(client, 'connection');
  return connection instanceof EventEmitter ? connection : undefined;
}

/**
 * Begins to note what the server says about the client's transactions. Newer versions of `pg` keep the status
 * themselves, but the range of versions that this library takes begins before those.
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
 * Whether a transaction has ended on a watched client since this was asked last. With `AND CHAIN` the next one has begun
 * in the same command, so the status alone doesn't tell. A return to a savepoint has the same tag, and counts too.
 */
export function takeTransactionEnd(client: ClientBase): boolean {
  return ended.delete(client);
}

/** The status of a watched client after its last statement; `I` as long as it has run none. */
export function transactionStatus(client: ClientBase): TransactionStatus {
  return lastStatus.get(client) ?? 'I';
}

/**
 * Whether the server has finished with all that was sent. A statement that fails is reported before that: its error
 * comes first, and maybe in another packet than the status of the transaction after it.
 */
export function isSettled(client: ClientBase): boolean {
  return Reflect.get(client, 'readyForQuery') !== false;
}

/** Calls back once the client is settled, or its connection has ended; at once if it is. Returns how to give up. */
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
  // By now the client may have sent the next of the statements that wait in it.
  const look = (): void => {
    if (isSettled(client)) finish();
  };
  connection.on('readyForQuery', look);
  client.on('end', finish);
  return stop;
}
