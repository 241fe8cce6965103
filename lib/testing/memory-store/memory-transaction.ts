import type {
  CompletionResult,
  LeaseWrite,
  Outcome,
  StartItem,
  StepRecord,
  StepReply,
  TaskTransaction,
  UserTransaction,
} from '../../store/port/index.js';
import { MemoryFailure } from './memory-failure.js';
import { complete } from './memory-outcomes.js';
import { recordSteps } from './memory-steps.js';
import type { MemoryTables } from './memory-tables.js';

/**
 * A transaction on a tenant's tables. Starts in it are written at its commit. An outcome is its last statement: it is
 * written at once, under the lock of all rows, and undone if the transaction fails afterwards.
 */
export class MemoryTransaction implements UserTransaction {
  readonly queryRunner = { isReleased: false, isTransactionActive: true };
  /** The starts in this transaction so far. */
  readonly starts: StartItem[] = [];
  /** The values that the transaction has set so far, by name. */
  readonly states = new Map<string, string | null>();
  /** Resolves at the end of the transaction. */
  readonly ended: Promise<void>;
  private resolveEnded: () => void = () => undefined;
  private readonly commits: (() => void)[] = [];
  private unlock: (() => void) | undefined;
  private undo: (() => void) | undefined;

  constructor(private readonly tables: MemoryTables) {
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  /** Runs `work` in a transaction of its own. Rolls back if `work` rejects or `signal` is aborted. */
  static async run<T>(
    tables: MemoryTables,
    work: (transaction: MemoryTransaction) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const transaction = new MemoryTransaction(tables);
    try {
      const result = await work(transaction);
      signal?.throwIfAborted();
      transaction.end(true);
      return result;
    } catch (error) {
      if (transaction.queryRunner.isTransactionActive) transaction.end(false);
      throw error;
    }
  }

  onCommit(write: () => void): void {
    this.commits.push(write);
  }

  assertOpen(): void {
    if (this.queryRunner.isTransactionActive) return;
    throw new MemoryFailure('conflict', 'The transaction has ended.');
  }

  async complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed = false,
  ): Promise<CompletionResult> {
    this.assertOpen();
    this.unlock = await this.tables.lock();
    this.undo = this.tables.checkpoint();
    return complete(this.tables, outcomes, lease, timed);
  }

  async recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]> {
    this.assertOpen();
    this.unlock = await this.tables.lock();
    this.undo = this.tables.checkpoint();
    return recordSteps(this.tables, records);
  }

  /** The interface that the engine uses in a transactional task. */
  forTask(): TaskTransaction {
    return {
      manager: this,
      hasLostPlan: false,
      within: (work) => work(),
      assertOpen: async () => this.assertOpen(),
      complete: (outcomes, lease, timed) => this.complete(outcomes, lease, timed),
      recordSteps: (records) => this.recordSteps(records),
    };
  }

  private end(isCommitted: boolean): void {
    Object.assign(this.queryRunner, { isReleased: true, isTransactionActive: false });
    for (const [key, holder] of this.tables.openKeys) {
      if (holder === this) this.tables.openKeys.delete(key);
    }
    for (const name of this.states.keys()) this.tables.changedStates.delete(name);
    if (isCommitted) for (const write of this.commits) write();
    else this.undo?.();
    this.unlock?.();
    this.resolveEnded();
  }
}

/** @throws TypeError for a transaction of another store */
export function asTransaction(transaction: UserTransaction): MemoryTransaction {
  if (transaction instanceof MemoryTransaction) return transaction;
  throw new TypeError('The manager does not belong to a transaction on this store.');
}
