import type { UserTransaction } from '../../store/port/index.js';
import type { Started, Starter, StartRequest } from './starter.js';
import type { TransactionalStarts } from './transactional-starts.js';

/** Starts executions, in batches or inside a caller's transaction. */
export class ExecutionStarts {
  constructor(
    private readonly starter: Starter,
    private readonly transactional: TransactionalStarts,
  ) {}

  start(request: StartRequest): Promise<Started> {
    return this.starter.start(request);
  }

  /**
   * Starts an execution inside the caller's transaction. The commit notifies the processes, and one of them claims it.
   *
   * @throws DatabaseUnavailableError when another transaction held the key for `startTimeout`
   */
  startIn(manager: UserTransaction, request: StartRequest): Promise<Omit<Started, 'claims'>> {
    return this.transactional.start(manager, request);
  }

  whenIdle(): Promise<void> {
    return this.starter.whenIdle();
  }

  close(): void {
    this.starter.close();
    this.transactional.close();
  }
}
