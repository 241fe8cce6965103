import { EventEmitter } from 'node:events';
import type { ClientBase } from 'pg';

/** As the server says after each statement: idle, in a transaction, in a transaction that an error has ended. */
export type TransactionStatus = 'I' | 'T' | 'E';

const lastStatus = new WeakMap<ClientBase, TransactionStatus>();
const watched = new WeakSet<ClientBase>();

function isStatus(value: unknown): value is TransactionStatus {
  return value === 'I' || value === 'T' || value === 'E';
}

/**
 * Begins to note what the server says about the client's transactions. Newer versions of `pg` keep the status
 * themselves, but the range of versions that this library takes begins before those.
 */
export function watchTransactions(client: ClientBase): void {
  if (watched.has(client)) return;
  watched.add(client);
  const connection: unknown = Reflect.get(client, 'connection');
  if (!(connection instanceof EventEmitter)) return;
  connection.on('readyForQuery', (message: unknown) => {
    const status: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'status') : undefined;
    if (isStatus(status)) lastStatus.set(client, status);
  });
}

/** The status after the last statement of a watched client; `I` as long as it has run none. */
export function transactionStatus(client: ClientBase): TransactionStatus {
  return lastStatus.get(client) ?? 'I';
}

/** Whether the next user of the connection may have it: no transaction is open on it and no statement is running. */
export function isReusable(client: ClientBase): boolean {
  return transactionStatus(client) === 'I' && Reflect.get(client, 'readyForQuery') !== false;
}
