import type { LeaseWrite } from './leases.js';
import type { CompletionResult, Outcome } from './outcomes.js';
import type { StepRecord, StepReply } from './steps.js';

/**
 * An open transaction of user code, as its data source represents it. The port knows only these properties; the adapter
 * and user code know the full type.
 */
export interface UserTransaction {
  readonly queryRunner?:
    { readonly isReleased: boolean; readonly isTransactionActive: boolean } | undefined;
}

/** The transaction of a transactional task: the manager for its writes, and the statement that records its outcome. */
export interface TaskTransaction {
  readonly manager: UserTransaction;
  /**
   * Whether the transaction failed through no fault of the handler: the server had dropped a prepared statement of the
   * library.
   */
  readonly hasLostPlan: boolean;
  /** Runs code that uses the transaction's connection, so that its requests for a second connection are recognized. */
  within<T>(work: () => T): T;
  /** Rejects if the transaction has failed, or if the handler has ended it. */
  assertOpen(): Promise<void>;
  /** As in `OutcomeStore`. */
  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed?: boolean,
  ): Promise<CompletionResult>;
  /** Like `recordSteps` of the store, as the last statement of the transaction. */
  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]>;
}

/** Runs a task's handler and its outcome in one transaction. */
export interface TransactionStore {
  /** `signal` is aborted when the result is no longer wanted. */
  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
}
