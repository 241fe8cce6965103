import type { CompletionWait } from '../engine/completion/completion-wait.js';
import type { CompletionWaiters } from '../engine/completion/completion-waiters.js';
import type { Clock } from '../runtime/clock.js';
import { UnknownExecutionError, WaitTimeoutError, withoutDriver } from '../errors/index.js';
import { isExecutionEnded } from '../workflow/index.js';
import type { ExecutionResult } from './execution.js';
import { refuseInBoot } from './call-checks.js';
import { isExecutionId, type ExecutionReader } from './execution-reader.js';
import { asResult } from './execution-view.js';

export interface ResultWaiterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly hasBooted: () => boolean;
  readonly waiters: CompletionWaiters;
  readonly reader: ExecutionReader;
}

/** The checked options of a wait. */
export interface CheckedWait {
  readonly timeoutMs: number | undefined;
  readonly settled: boolean;
}

/** Waits for the end of executions, and reads their results. */
export class ResultWaiter {
  constructor(private readonly parts: ResultWaiterParts) {}

  /** Rejects if the execution did not complete, unless `settled` is true. */
  resultOf(id: string, options: CheckedWait): Promise<ExecutionResult> {
    refuseInBoot('result()', this.parts.hasBooted());
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.parts.tenant);
    return this.resultAfter(this.parts.waiters.wait(id), options);
  }

  /**
   * Starts an execution and waits for its end.
   *
   * @param start - starts it, and calls `onId` with the proposed id before it sends the start
   */
  async resultOfStart(
    start: (onId: (id: string) => void) => Promise<{ readonly id: string }>,
    options: CheckedWait,
  ): Promise<ExecutionResult> {
    let expected: CompletionWait | undefined;
    try {
      const { id } = await start((proposed) => (expected = this.parts.waiters.expect(proposed)));
      // An earlier execution has the idempotency key.
      if (id !== expected?.id) return await this.resultOf(id, options);
      expected.stored();
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
        ? this.ended(wait)
        : this.endedWithin(wait, timeoutMs));
      return settled ? result : result.orThrow();
    } catch (error) {
      throw withoutDriver(error, this.parts.tenant);
    }
  }

  private async endedWithin(wait: CompletionWait, timeoutMs: number): Promise<ExecutionResult> {
    let current = wait;
    let timedOut: WaitTimeoutError | undefined;
    const timer = this.parts.clock.timer(() => {
      timedOut = new WaitTimeoutError(wait.id, timeoutMs);
      current.cancel(timedOut);
    }, timeoutMs);
    try {
      return await this.ended(wait, (next) => {
        if (timedOut !== undefined) throw timedOut;
        current = next;
      });
    } finally {
      timer.cancel();
    }
  }

  /**
   * Reads the execution after each signal: it may come late, after a manual retry of the execution.
   *
   * @param onNext - called with each further wait
   */
  private async ended(
    first: CompletionWait,
    onNext?: (wait: CompletionWait) => void,
  ): Promise<ExecutionResult> {
    const { tenant, waiters, reader } = this.parts;
    const { id } = first;
    for (let wait = first; ;) {
      const execution = (await wait.ended) ? await reader.get(id) : null;
      if (execution === null) throw new UnknownExecutionError(id, tenant);
      if (isExecutionEnded(execution.status)) return asResult(execution);
      wait = waiters.wait(id);
      onNext?.(wait);
    }
  }
}
