import { MemoryRole } from './memory-role.js';
import { MemoryTransaction } from '../memory-transaction.js';
import type { TaskTransaction, TransactionStore } from '../../../store/port/index.js';

/** Transactions of transactional tasks, in memory. */
export class MemoryTransactionStore extends MemoryRole implements TransactionStore {
  transaction<T>(
    work: (transaction: TaskTransaction) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return MemoryTransaction.run(this.tables, (own) => work(own.forTask()), signal);
  }
}
