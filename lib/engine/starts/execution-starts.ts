import type { UserTransaction } from '../../store/port/index.js';
import type { Started, Starter, StartRequest } from './starter.js';
import type { TransactionalStart, TransactionalStarts } from './transactional-starts.js';

/** Starts executions, in batches or inside a caller's transaction. */
export class ExecutionStarts {
  constructor(
    private readonly starter: Starter,
    private readonly transactional: TransactionalStarts,
  ) {}

  start(request: StartRequest): Promise<Started> {
    return this.starter.start(request);
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

  whenIdle(): Promise<void> {
    return this.starter.whenIdle();
  }

  close(): void {
    this.starter.close();
    this.transactional.close();
  }
}
