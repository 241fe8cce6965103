import { AsyncResource } from 'node:async_hooks';
import { ContextTooLargeError } from '../../errors/index.js';
import type { TaskTransaction } from '../../store/port/index.js';
import type { ContextView } from '../../workflow/index.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';
import type { Clock } from '../../runtime/clock.js';
import type { Attempt } from './attempt.js';
import { beginSpan } from './attempt-spans.js';
import { runInTask } from './current-task.js';
import type { HandlerOutcome } from './handler-outcome.js';
import type { RunningTask } from './running-task.js';
import { DeferralSignal } from './task-deferral.js';
import { RunningItem } from './running-item.js';
import { SKIPPED_BY_TIMEOUT } from '../nodes/skipped-by-timeout.js';
import { SuspensionSignal } from '../waits/suspension.js';
import type { TaskInterceptors } from './task-interceptors.js';
import { encodeWrites, resultOf, type TaskResult } from './task-result.js';
import type { TaskRun } from './task-run.js';

/** What spans of attempts need. */
export interface AttemptTracing {
  readonly telemetry: CloacinaTelemetry;
  readonly tenant: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** Calls handlers, and turns their results and errors into outcomes. */
export class HandlerCall {
  private readonly scope = new AsyncResource('CloacinaTask');

  /** @param maxContextSize - in bytes of JSON */
  constructor(
    private readonly maxContextSize: number,
    private readonly interceptors: TaskInterceptors,
    private readonly tracing?: AttemptTracing,
  ) {}

  /**
   * Begins the attempt and calls its handler within the interceptors. Returns what the outermost one returns.
   *
   * @param body - what to run in place of the handler
   */
  invoke(
    attempt: Attempt,
    context: RunningTask,
    transaction?: TaskTransaction,
    body?: () => unknown,
  ): unknown {
    const { claim } = attempt;
    const handler = claim.definition.handlers[claim.task.no];
    if (handler === undefined) throw new Error(`No handler for task "${claim.task.name}".`);
    attempt.begin();
    const { tracing } = this;
    if (tracing !== undefined) {
      const { telemetry, tenant, clock } = tracing;
      attempt.span = beginSpan(telemetry, tenant, claim, clock.now());
    }
    const { span } = attempt;
    // A task must not run in the async context of the request or task that happened to start it.
    return this.scope.runInAsyncScope(() => {
      const run = (): unknown =>
        runInTask(context, () =>
          this.interceptors.around(context, body ?? (() => handler.run(context))),
        );
      const begin = (): unknown => (transaction === undefined ? run() : transaction.within(run));
      return span === undefined ? begin() : span.run(begin);
    });
  }

  /** The outcome of a handler that returned. Throws an error that counts as the handler's failure. */
  completed(attempt: Attempt, context: RunningTask, returned: unknown): TaskResult {
    const { run, values } = context;
    if (run.deferredForNextMs !== undefined) {
      run.warnDeferralIgnored();
      throw new DeferralSignal();
    }
    if (run.suspension !== undefined) {
      run.warnSuspensionIgnored();
      throw new SuspensionSignal();
    }
    if (run.givenBackInMs !== undefined) {
      run.warnGiveBackIgnored();
      throw new Error('The transaction of a step could not be committed.');
    }
    const { claim, input } = attempt;
    if (returned === SKIPPED_BY_TIMEOUT) {
      run.returned();
      return resultOf(claim, input, 'Skipped', { skipReason: 'timeout' });
    }
    if (context instanceof RunningItem) {
      const output = context.resultJson(returned, this.maxContextSize);
      run.returned();
      return resultOf(claim, input, 'Completed', { output });
    }
    const writes = values.finish(returned);
    run.returned();
    if (writes.size === 0) return resultOf(claim, input, 'Completed', {});
    const view = input.view.withWrites(claim.task.no, writes);
    if (view.bytes > this.maxContextSize) throw tooLarge(view, this.maxContextSize);
    return resultOf(claim, input, 'Completed', { view, ...encodeWrites(writes) });
  }
}

/**
 * The outcome of a handler that threw. After `deferUntil()` deferred the task it is a deferral, and after a wait suspended
 * it a suspension, whatever was thrown. After a step could not be committed by no fault of the handler, the task is given back.
 */
export function thrown(
  { input }: Attempt,
  run: TaskRun | undefined,
  error: unknown,
): HandlerOutcome {
  run?.returned();
  if (run?.givenBackInMs !== undefined) return { kind: 'givenBack', delayMs: run.givenBackInMs };
  if (run?.deferredForNextMs !== undefined) {
    return { kind: 'deferred', delayMs: run.deferredForNextMs };
  }
  if (run?.suspension !== undefined) {
    const { joins, delayMs } = run.suspension;
    return { kind: 'suspended', delayMs, ...(joins === 0 ? {} : { joins }) };
  }
  return { kind: 'failed', input, error };
}

export function tooLarge(view: ContextView, maxContextSize: number): ContextTooLargeError {
  const largest = view
    .keys()
    .map((key): readonly [string, number] => [key, view.get(key)?.bytes ?? 0])
    .sort((a, b) => b[1] - a[1]);
  return new ContextTooLargeError(view.bytes, maxContextSize, largest);
}
