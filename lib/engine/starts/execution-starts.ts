import type { UserTransaction } from '../../store/port/index.js';
import type { Batch, BatchedStarts } from './batched-starts.js';
import type { Debounce, DebouncedStarts } from './debounced-starts.js';
import type { Starter } from './starter.js';
import type { Started, StartRequest } from './start-request.js';
import type { TransactionalStart, TransactionalStarts } from './transactional-starts.js';

/** Starts executions, in batches or inside a caller's transaction. */
export class ExecutionStarts {
  constructor(
    private readonly starter: Starter,
    private readonly transactional: TransactionalStarts,
    private readonly debounced: DebouncedStarts,
    private readonly batched: BatchedStarts,
  ) {}

  start(request: StartRequest): Promise<Started> {
    return this.starter.start(request);
  }

  /** Starts an execution, or replaces the input of one with the same key that has not begun. */
  startDebounced(request: StartRequest, debounce: Debounce): Promise<Started> {
    return this.debounced.start(request, debounce);
  }

  /** Adds the input to an execution with the same key that has not begun, or starts one. */
  startBatched(request: StartRequest, batch: Batch): Promise<Started> {
    return this.batched.start(request, batch);
  }

  /** Starts one of many executions of a call. */
  startInBulk(request: StartRequest): Promise<Started> {
    return this.starter.startInBulk(request);
  }

  /**
   * Starts an execution inside the caller's transaction. The commit notifies the processes, and one of them claims it.
   *
   * @throws DatabaseUnavailableError when another transaction held the key for `startTimeout`
   */
  async startIn(manager: UserTransaction, request: StartRequest): Promise<TransactionalStart> {
    const [started] = await this.startManyIn(manager, [request]);
    return started ?? { id: request.id, created: true, hasWaiters: false };
  }

  /** Starts several executions inside the caller's transaction, with one statement. By index. */
  startManyIn(
    manager: UserTransaction,
    requests: readonly StartRequest[],
  ): Promise<TransactionalStart[]> {
    return this.transactional.start(manager, requests);
  }

  async whenIdle(): Promise<void> {
    const all = [this.starter, this.debounced, this.batched];
    await Promise.all(all.map((starts) => starts.whenIdle()));
  }

  close(): void {
    this.starter.close();
    this.transactional.close();
    this.debounced.close();
    this.batched.close();
  }
}
