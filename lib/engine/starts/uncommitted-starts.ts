import type { ExecutionStore, UserTransaction } from '../../store/port/index.js';
import { isOpen } from './open-keys.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Interval of the checks whether transactions have ended, in milliseconds. A check only reads a flag in memory. */
const LOOK_INTERVAL_MS = 50;

interface UncommittedStart {
  readonly id: string;
  readonly transaction: UserTransaction;
  readonly committed: () => void;
}

/**
 * The executions that were started inside transactions of callers that are still open. When a transaction has ended, it
 * reads from the database whether the execution was committed. A failed read is repeated at the next interval.
 */
export class UncommittedStarts {
  private starts: UncommittedStart[] = [];
  private timer: Timer | undefined;

  constructor(
    private readonly store: Pick<ExecutionStore, 'statuses'>,
    private readonly clock: Clock,
  ) {}

  /** Adds a start. `committed` is called once if the transaction commits. */
  add(id: string, transaction: UserTransaction, committed: () => void): void {
    this.starts.push({ id, transaction, committed });
    this.schedule();
  }

  close(): void {
    this.timer?.cancel();
    this.starts = [];
  }

  private schedule(): void {
    this.timer ??= this.clock.timer(() => void this.look(), LOOK_INTERVAL_MS);
  }

  private async look(): Promise<void> {
    const ended = this.starts.filter(({ transaction }) => !isOpen(transaction));
    try {
      if (ended.length > 0) {
        const stored = await this.store.statuses(ended.map(({ id }) => id));
        const over = new Set(ended);
        this.starts = this.starts.filter((start) => !over.has(start));
        for (const { id, committed } of ended) if (stored.has(id)) committed();
      }
    } catch {
      // The database is unavailable. The next check reads again.
    }
    this.timer = undefined;
    if (this.starts.length > 0) this.schedule();
  }
}
