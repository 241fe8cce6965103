import { AsyncResource } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { isObservable } from 'rxjs';
import { ContextTooLargeError, toStoredError } from '../../errors/index.js';
import type { ContextView } from '../../workflow/index.js';
import type { Attempt } from './attempt.js';
import type { ClaimsInFlight } from '../claims/claims-in-flight.js';
import type { ClaimTable } from '../claims/claim-table.js';
import { runInTask } from './current-task.js';
import type { OutcomeRecorder } from './outcome-recorder.js';
import { DeferralSignal, RunningTask, type TaskSurroundings } from './running-task.js';
import { lastValue } from './last-value.js';
import { encodeWrites, resultOf, type TaskResult } from './task-result.js';
import type { TaskCompleter } from './task-completer.js';
import type { TenantSettings } from '../process-services.js';
import {
  decideTransaction,
  tookMost,
  type HandlerTimes,
  type TransactionPhase,
} from './transaction-decision.js';
import {
  type CompletionResult,
  OverdueTransactionError,
  type TaskTransaction,
  type TransactionStore,
} from '../../store/port/index.js';
import type { FailureClassifier, FailureKind } from '../../runtime/failure.js';
import type { TaskContext } from '../../discovery/task-context.js';

/** After which pause a transactional task begins again that lost its transaction, in milliseconds. */
const PAUSES_MS: Partial<Record<FailureKind, number>> = {
  conflict: 50,
  passing: 250,
  connection: 250,
};
/** The same where no transaction can be begun, for a reason that does not pass by itself. */
const REFUSED_PAUSE_MS = 5_000;

/** How far a transactional run has come. */
interface TransactionalRun extends HandlerTimes {
  phase: TransactionPhase;
  context: RunningTask | undefined;
  transaction: TaskTransaction | undefined;
  /** What its commit makes true. */
  recorded: { readonly result: TaskResult; readonly completion: CompletionResult } | undefined;
}

export interface HandlerRunnerParts {
  readonly settings: TenantSettings;
  readonly store: TransactionStore & FailureClassifier;
  /** For user code. */
  readonly dataSource: TaskContext['dataSource'];
  readonly claims: ClaimTable;
  readonly recorder: OutcomeRecorder;
  readonly inFlight: ClaimsInFlight;
  readonly completer: TaskCompleter;
}

/** Runs handlers, and makes of what they return, write and throw what becomes of their tasks. */
export class HandlerRunner {
  private readonly logger = new Logger('Cloacina');
  private readonly scope = new AsyncResource('CloacinaTask');
  private readonly surroundings: TaskSurroundings;

  constructor(private readonly parts: HandlerRunnerParts) {
    const { dataSource, settings } = parts;
    this.surroundings = {
      tenant: settings.tenant,
      dataSource,
      get manager() {
        return dataSource.manager;
      },
    };
  }

  /** Begins the attempt, which ends by itself. */
  run(attempt: Attempt): void {
    if (attempt.claim.task.transactional) {
      this.runTransactional(attempt).catch((error: unknown) =>
        this.parts.completer.giveUp(attempt.claim, error),
      );
    } else {
      void this.runPlain(attempt);
    }
  }

  /** Never rejects: so the hot path needs no promise that waits for it. */
  private async runPlain(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const context = new RunningTask(claim, input.view, this.surroundings);
    try {
      let returned = await this.invoke(attempt, context);
      if (isObservable(returned)) returned = await lastValue(returned, claim.signal);
      const result = this.finish(attempt, context, returned);
      if (attempt.settle('handler')) this.parts.completer.record(result);
    } catch (error) {
      try {
        if (attempt.settle('handler')) this.afterThrow(attempt, context, error);
      } catch (failure) {
        this.parts.completer.giveUp(claim, failure);
      }
    } finally {
      attempt.end();
    }
  }

  /** The handler's writes and the outcome in one transaction; the outcome is the last statement before COMMIT. */
  private async runTransactional(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const { store, dataSource, recorder, settings, inFlight } = this.parts;
    const run: TransactionalRun = {
      phase: 'begin',
      context: undefined,
      begunAt: 0,
      handledAt: 0,
      transaction: undefined,
      recorded: undefined,
    };
    let landed = (): void => undefined;
    let handled: Promise<unknown> | undefined;
    try {
      await store.transaction(async (transaction) => {
        run.phase = 'handler';
        run.begunAt = performance.now();
        run.transaction = transaction;
        // It may have waited long for the connection.
        if (claim.lost) throw REFUSED;
        run.context = new RunningTask(claim, input.view, {
          tenant: settings.tenant,
          dataSource,
          manager: transaction.manager as TaskContext['manager'],
        });
        handled = Promise.resolve(this.invoke(attempt, run.context, transaction)).then(
          (returned) => (isObservable(returned) ? lastValue(returned, claim.signal) : returned),
        );
        const result = this.finish(attempt, run.context, await handled);
        run.handledAt = performance.now();
        await transaction.assertOpen();
        // Settled already: the attempt timed out, and what it wrote must not be committed.
        if (!attempt.settle('handler') || claim.lost) throw REFUSED;
        run.phase = 'outcome';
        landed = inFlight.begin();
        const completion = await recorder.recordWith([result], (outcomes, lease) =>
          transaction.complete(outcomes, lease),
        );
        if (completion.accepted[0] !== true) throw REFUSED;
        run.recorded = { result, completion };
        run.phase = 'commit';
      }, claim.signal);
      if (run.recorded !== undefined) {
        recorder.follow([run.recorded.result], run.recorded.completion);
      }
    } catch (error) {
      if (!attempt.timedOut) {
        attempt.settle('handler');
        await this.afterTransaction(attempt, run, error);
      }
    } finally {
      landed();
      // The transaction is over before its handler where its connection had to be cut.
      await handled?.catch(() => undefined);
      attempt.end();
    }
  }

  /**
   * A transaction that was not committed, or not known to be. Only what the handler did is charged to its attempt: that
   * the connection was lost under the library's own statements, or that the server had no memory for them, is not.
   */
  private async afterTransaction(
    attempt: Attempt,
    run: TransactionalRun,
    error: unknown,
  ): Promise<void> {
    const { claim, input } = attempt;
    const { claims, completer, store } = this.parts;
    if (error === REFUSED) {
      claims.lose(claim);
      completer.refused(claim);
      return;
    }
    if (claim.lost) return;
    if (run.phase === 'handler' && run.transaction?.hasLostPlan === true) {
      this.beginAgain(attempt, 'conflict', error);
      return;
    }
    // What the handler throws can be anything.
    if (run.phase === 'handler' || (error instanceof OverdueTransactionError && tookMost(run))) {
      this.afterThrow(attempt, run.context, error);
      return;
    }
    const failure = store.classifyFailure(error);
    switch (decideTransaction(run.phase, failure)) {
      case 'attempt':
        this.afterThrow(attempt, run.context, error);
        break;
      case 'unstorable':
        completer.record(resultOf(claim, input, 'Failed', { error: toStoredError(error) }));
        break;
      case 'giveUp':
        completer.giveUp(claim, error);
        break;
      case 'lookUp':
        await this.lookUp(attempt, run);
        break;
      case 'again':
        this.beginAgain(attempt, failure.kind, error);
    }
  }

  /** The reply to COMMIT was lost: the task's row tells whether it stands. */
  private async lookUp(attempt: Attempt, { recorded }: TransactionalRun): Promise<void> {
    const { recorder, completer } = this.parts;
    if (recorded === undefined) return;
    const { result, completion } = recorded;
    try {
      if (await recorder.isRecorded(result)) recorder.follow([result], completion);
      else this.beginAgain(attempt, 'connection', undefined);
    } catch (error) {
      completer.giveUp(attempt.claim, error);
    }
  }

  private beginAgain({ claim }: Attempt, kind: FailureKind, error: unknown): void {
    const pauseMs = PAUSES_MS[kind] ?? REFUSED_PAUSE_MS;
    if (pauseMs === REFUSED_PAUSE_MS) {
      this.logger.error(
        `Tenant "${this.parts.settings.tenant}": no transaction can be begun for task ${claim.task.name} of execution ` +
          `${claim.executionId}; it is tried again in ${REFUSED_PAUSE_MS} ms: ${toStoredError(error).message}`,
      );
    }
    this.parts.completer.reschedule(claim, 'giveBack', pauseMs);
  }

  private invoke(attempt: Attempt, context: RunningTask, transaction?: TaskTransaction): unknown {
    const { claim } = attempt;
    const handler = claim.definition.handlers[claim.task.no];
    if (handler === undefined) throw new Error(`No handler for task "${claim.task.name}".`);
    attempt.begin();
    // What happens to start a task (a request, another task) is not what it runs in.
    return this.scope.runInAsyncScope(() => {
      const run = (): unknown => runInTask(context, () => handler.run(context));
      return transaction === undefined ? run() : transaction.within(run);
    });
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
    if (deferredMs === undefined) this.parts.completer.fail(claim, input, thrown);
    else this.parts.completer.reschedule(claim, 'defer', deferredMs);
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
