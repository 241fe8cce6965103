import type { ClientBase } from 'pg';
import { isError } from '../../errors/index.js';
import { sqlState } from './sql-state.js';
import { OverdueTransactionError } from '../port/index.js';

/** idle_in_transaction_session_timeout and transaction_timeout. */
const OVERDUE = new Set(['25P03', '25P04']);

/**
 * Runs `work` with a connection, and says it when the server ended that for taking too long: of that the server tells
 * once, as a rule between two statements, and the next statement knows only that the connection is gone.
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
      `The server ended the transaction: ${overdue.message}. Make the task shorter, or raise the limit for its login.`,
    );
  } finally {
    client.off('error', note);
  }
}
