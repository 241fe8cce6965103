/** The server ended a transaction because it exceeded a time limit. */
export class OverdueTransactionError extends Error {
  override readonly name = 'OverdueTransactionError';
}
