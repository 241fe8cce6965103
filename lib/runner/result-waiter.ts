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
  /** Aborts when this process stops serving the tenant. */
  readonly closing: AbortSignal;
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
  async resultOf(id: string, { timeoutMs, settled }: CheckedWait): Promise<ExecutionResult> {
    refuseInBoot('result()', this.parts.hasBooted());
    try {
      const result = await this.wait(id, timeoutMs);
      return settled ? result : result.orThrow();
    } catch (error) {
      throw withoutDriver(error, this.parts.tenant);
    }
  }

  private async wait(id: string, timeoutMs: number | undefined): Promise<ExecutionResult> {
    const { clock, tenant, closing } = this.parts;
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, tenant);
    if (timeoutMs === undefined) return this.ended(id, closing);
    const timeout = new AbortController();
    const timer = clock.timer(() => timeout.abort(new WaitTimeoutError(id, timeoutMs)), timeoutMs);
    try {
      return await this.ended(id, AbortSignal.any([timeout.signal, closing]));
    } finally {
      timer.cancel();
    }
  }

  /** Reads the execution after each notification: it may come late, after a manual retry of the execution. */
  private async ended(id: string, signal: AbortSignal): Promise<ExecutionResult> {
    const { tenant, waiters, reader } = this.parts;
    for (;;) {
      const found = await waiters.wait(id, signal);
      const execution = found ? await reader.get(id) : null;
      if (execution === null) throw new UnknownExecutionError(id, tenant);
      if (isExecutionEnded(execution.status)) return asResult(execution);
      signal.throwIfAborted();
    }
  }
}
