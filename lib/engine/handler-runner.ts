import { AsyncResource } from 'node:async_hooks';
import { ContextTooLargeError } from '../errors/index.js';
import type { TenantStore } from '../store/store.js';
import type { ContextView } from '../workflow/index.js';
import type { Attempt } from './attempt.js';
import type { ClaimTable } from './claim-table.js';
import { runInTask } from './current-task.js';
import type { OutcomeRecorder } from './outcome-recorder.js';
import { DeferralSignal, RunningTask, type TaskSurroundings } from './running-task.js';
import { encodeWrites, resultOf, type TaskResult } from './task-result.js';
import type { TaskSettlement } from './task-settlement.js';
import type { TenantSettings } from './tenant-parts.js';

/** A transactional task whose outcome lost a race for its rows begins again after so long, in milliseconds. */
const CONFLICT_PAUSE_MS = 50;
/** One that met no connection to begin on is tried again after so long, in milliseconds. */
const RECONNECT_PAUSE_MS = 250;

export interface HandlerRunnerParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly recorder: OutcomeRecorder;
  readonly settlement: TaskSettlement;
}

/** Runs handlers, and makes of what they return, write and throw what becomes of their tasks. */
export class HandlerRunner {
  private readonly scope = new AsyncResource('CloacinaTask');
  private readonly surroundings: TaskSurroundings;

  constructor(private readonly parts: HandlerRunnerParts) {
    const { store, settings } = parts;
    this.surroundings = {
      tenant: settings.tenant,
      dataSource: store.dataSource,
      get manager() {
        return store.dataSource.manager;
      },
    };
  }

  /** Resolves when the handler has returned; what comes of it goes on by itself. */
  run(attempt: Attempt): Promise<void> {
    return attempt.claim.task.transactional
      ? this.runTransactional(attempt)
      : this.runPlain(attempt);
  }

  private async runPlain(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const context = new RunningTask(claim, input.view, this.surroundings);
    try {
      const result = this.finish(attempt, context, await this.invoke(attempt, context));
      if (attempt.settle('handler')) this.parts.settlement.record(result);
    } catch (error) {
      if (attempt.settle('handler')) this.afterThrow(attempt, context, error);
    } finally {
      attempt.end();
    }
  }

  /** The handler's writes and the outcome in one transaction; the outcome is the last statement before COMMIT. */
  private async runTransactional(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const { store, recorder, settings, settlement } = this.parts;
    let context: RunningTask | undefined;
    let recording = false;
    try {
      let result: TaskResult | undefined;
      const completion = await store.transaction(async (transaction) => {
        // It may have waited long for the connection.
        if (claim.lost) throw REFUSED;
        context = new RunningTask(claim, input.view, {
          tenant: settings.tenant,
          dataSource: store.dataSource,
          manager: transaction.manager,
        });
        result = this.finish(attempt, context, await this.invoke(attempt, context));
        // Settled already: the attempt timed out, and what it wrote must not be committed.
        if (!attempt.settle('handler') || claim.lost) throw REFUSED;
        recording = true;
        const recorded = await recorder.recordWith([result], (outcomes, lease) =>
          transaction.complete(outcomes, lease),
        );
        if (recorded.accepted[0] !== true) throw REFUSED;
        return recorded;
      }, claim.signal);
      if (result !== undefined) recorder.follow([result], completion);
    } catch (error) {
      if (attempt.timedOut) return;
      attempt.settle('handler');
      if (error === REFUSED) {
        this.parts.claims.lose(claim);
        settlement.refused(claim);
      } else if (recording && !claim.lost && store.failureKind(error) === 'conflict') {
        // The handler has done its part, and a lost race costs it no attempt.
        settlement.returnClaim(claim, 'giveBack', CONFLICT_PAUSE_MS);
      } else if (
        context === undefined &&
        !claim.lost &&
        store.failureKind(error) === 'connection'
      ) {
        // It has not begun.
        settlement.returnClaim(claim, 'giveBack', RECONNECT_PAUSE_MS);
      } else {
        // A connection that broke at COMMIT leaves it open whether the outcome stands. The failure is fenced by
        // the same token: it is refused if it does.
        this.afterThrow(attempt, context, error);
      }
    } finally {
      attempt.end();
    }
  }

  private invoke(attempt: Attempt, context: RunningTask): unknown {
    const { claim } = attempt;
    const handler = claim.definition.handlers[claim.task.no];
    if (handler === undefined) throw new Error(`No handler for task "${claim.task.name}".`);
    attempt.begin();
    // What happens to start a task (a request, another task) is not what it runs in.
    return this.scope.runInAsyncScope(() => runInTask(context, () => handler.run(context)));
  }

  /** Turns what the handler returned into its outcome; throws what has to count as the handler's failure. */
  private finish(attempt: Attempt, context: RunningTask, returned: unknown): TaskResult {
    if (context.deferredForNextMs !== undefined) throw new DeferralSignal();
    const { claim, input } = attempt;
    const { maxContextSize } = this.parts.settings;
    const writes = context.finish(returned);
    if (writes.size === 0) return resultOf(claim, input, 'Completed', {});
    const view = input.view.withWrites(claim.task.no, writes);
    if (view.bytes > maxContextSize) throw tooLarge(view, maxContextSize);
    return resultOf(claim, input, 'Completed', { view, ...encodeWrites(writes) });
  }

  private afterThrow(attempt: Attempt, context: RunningTask | undefined, thrown: unknown): void {
    const { claim, input } = attempt;
    const deferredMs = context?.deferredForNextMs;
    if (claim.lost) return;
    if (deferredMs === undefined) this.parts.settlement.fail(claim, input, thrown);
    else this.parts.settlement.returnClaim(claim, 'defer', deferredMs);
  }
}

export function tooLarge(view: ContextView, maxContextSize: number): ContextTooLargeError {
  const largest = view
    .keys()
    .map((key): readonly [string, number] => [key, view.get(key)?.bytes ?? 0])
    .sort((a, b) => b[1] - a[1]);
  return new ContextTooLargeError(view.bytes, maxContextSize, largest);
}

/** Rolls a task's transaction back whose outcome is not taken any more. Not a class that a handler could throw. */
const REFUSED = new Error('The outcome was refused.');
