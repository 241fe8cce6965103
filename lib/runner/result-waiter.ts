import type { CompletionWait } from '../engine/completion/completion-wait.js';
import type { StartRequest } from '../engine/starts/start-request.js';
import type { Clock } from '../runtime/clock.js';
import { UnknownExecutionError, WaitTimeoutError, withoutDriver } from '../errors/index.js';
import type { ExecutionResult } from './execution.js';
import { refuseInBoot } from './call-checks.js';
import type { StartReply } from './execution-starter.js';
import type { EndedExecutions } from './ended-executions.js';
import { isExecutionId } from './execution-uuid.js';
import type { CheckedWait } from './result-options.js';

export interface ResultWaiterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly hasBooted: () => boolean;
  readonly ended: EndedExecutions;
}

/** Waits for the results of executions, as the options of the call say. */
export class ResultWaiter {
  constructor(private readonly parts: ResultWaiterParts) {}

  /** Rejects if the execution did not complete, unless `settled` is true. */
  resultOf(id: string, options: CheckedWait): Promise<ExecutionResult> {
    refuseInBoot('result()', this.parts.hasBooted());
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.parts.tenant);
    return this.resultAfter(this.parts.ended.wait(id), options);
  }

  /**
   * Starts an execution and waits for its end.
   *
   * @param start - starts it, and calls `onRequest` before it sends the request
   */
  async resultOfStart(
    start: (onRequest: (request: StartRequest) => void) => Promise<StartReply>,
    options: CheckedWait,
  ): Promise<ExecutionResult> {
    let expected: CompletionWait | undefined;
    try {
      const { id, hasWaiters } = await start(
        // Not the request itself: its input would stay in memory as long as the caller waits.
        ({ id: proposed, idempotencyKey, tags }) =>
          (expected = this.parts.ended.expect(proposed, { idempotencyKey, tags })),
      );
      // An earlier execution has the idempotency key.
      if (id !== expected?.id) return await this.resultOf(id, options);
      expected.stored(hasWaiters);
      return await this.resultAfter(expected, options);
    } finally {
      expected?.cancel(undefined);
    }
  }

  private async resultAfter(
    wait: CompletionWait,
    { timeoutMs, settled }: CheckedWait,
  ): Promise<ExecutionResult> {
    try {
      const result = await (timeoutMs === undefined
        ? this.parts.ended.endOf(wait)
        : this.endWithin(wait, timeoutMs));
      return settled ? result : result.orThrow();
    } catch (error) {
      throw withoutDriver(error, this.parts.tenant);
    }
  }

  private async endWithin(wait: CompletionWait, timeoutMs: number): Promise<ExecutionResult> {
    let current = wait;
    let timedOut: WaitTimeoutError | undefined;
    const timer = this.parts.clock.timer(() => {
      timedOut = new WaitTimeoutError(wait.id, timeoutMs);
      current.cancel(timedOut);
    }, timeoutMs);
    try {
      return await this.parts.ended.endOf(wait, (next) => {
        if (timedOut !== undefined) throw timedOut;
        current = next;
      });
    } finally {
      timer.cancel();
    }
  }
}
