import type { LeaseWrite } from './leases.js';
import type { CompletionResult, Outcome } from './outcomes.js';

/**
 * A transaction that user code has open, as its data source knows it. Only the adapter and user code know what else it
 * can do.
 */
export interface UserTransaction {
  readonly queryRunner?:
    { readonly isReleased: boolean; readonly isTransactionActive: boolean } | undefined;
}

/** What a transactional task has: the manager for its writes, and the last statement before COMMIT. */
export interface TaskTransaction {
  readonly manager: UserTransaction;
  /** It failed by no fault of the handler: the server had lost a statement that the library had prepared there. */
  readonly hasLostPlan: boolean;
  /** Runs the code that has the transaction's connection: it is told apart when it asks for another one. */
  within<T>(work: () => T): T;
  /** Rejects when the transaction has failed or ended inside the handler: nothing more can be part of it. */
  assertOpen(): Promise<void>;
  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult>;
}

/** Runs a task's handler and its outcome in one transaction. */
export interface TransactionStore {
  /** `signal` aborts when nothing of it will be taken any more. */
  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
}
