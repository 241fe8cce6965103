import type { ClientBase } from 'pg';
import { isError } from '../../errors/index.js';
import { sqlState } from './sql-state.js';
import { OverdueTransactionError } from '../port/index.js';

/** SQLSTATEs of idle_in_transaction_session_timeout and transaction_timeout. */
const OVERDUE = new Set(['25P03', '25P04']);

/**
 * Runs `work` on a connection, and throws OverdueTransactionError if the server ended the transaction for exceeding a time
 * limit. The server reports that only once, usually between two statements. The next statement only finds the connection
 * closed.
 */
export async function withinLimits<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  let overdue: Error | undefined;
  const note = (error: unknown): void => {
    if (isError(error) && OVERDUE.has(sqlState(error) ?? '')) overdue ??= error;
  };
  client.on('error', note);
  try {
    return await work();
  } catch (error) {
    note(error);
    if (overdue === undefined) throw error;
    throw new OverdueTransactionError(
      `The server ended the transaction: ${overdue.message}. Shorten the task, or raise the limit for its login.`,
    );
  } finally {
    client.off('error', note);
  }
}
