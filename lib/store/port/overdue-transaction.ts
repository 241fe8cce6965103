/** The server has ended a transaction because it took longer than its limits allow. */
export class OverdueTransactionError extends Error {
  override readonly name = 'OverdueTransactionError';
}
