import { Logger } from '@nestjs/common';
import { isObservable } from 'rxjs';
import type { TaskContext } from '../../discovery/task-context.js';
import { toStoredError } from '../../errors/index.js';
import type { FailureClassifier, FailureKind } from '../../runtime/failure.js';
import { mayPass } from '../../runtime/persistent-retry.js';
import {
  type CompletionResult,
  OverdueTransactionError,
  type TaskTransaction,
} from '../../store/port/index.js';
import type { Attempt } from './attempt.js';
import { type HandlerCall, thrown } from './handler-call.js';
import { type HandlerOutcome, REFUSED, SUPERSEDED } from './handler-outcome.js';
import type { HandlerRunnerParts } from './handler-runner.js';
import { lastValue } from './last-value.js';
import { runningOf } from './running-item.js';
import { resultOf, type TaskResult } from './task-result.js';
import type { TaskRun } from './task-run.js';
import {
  decideTransaction,
  pauseBeforeAgain,
  REFUSED_PAUSE_MS,
  REPEAT_PAUSE_MS,
  tookMost,
  type HandlerTimes,
  type TransactionPhase,
} from '../waits/transaction-decision.js';

/** The state of a transactional run. */
interface TransactionalRun extends HandlerTimes {
  phase: TransactionPhase;
  task: TaskRun | undefined;
  transaction: TaskTransaction | undefined;
  /** The handler's result. The handler may still run after its transaction has ended because its connection was cut. */
  handled: Promise<unknown> | undefined;
  /** Called when the claims of the outcome's statement are in memory. */
  landed: () => void;
  /** The outcome that the commit makes valid. */
  recorded: { readonly result: TaskResult; readonly completion: CompletionResult } | undefined;
}

export interface TransactionalRunnerParts extends HandlerRunnerParts {
  readonly call: HandlerCall;
}

/** Runs a handler's writes and its outcome in one transaction; the outcome is the last statement before COMMIT. */
export class TransactionalRunner {
  private readonly logger = new Logger('Cloacina');

  constructor(private readonly parts: TransactionalRunnerParts) {}

  /** Never rejects. */
  async run(attempt: Attempt): Promise<void> {
    const run: TransactionalRun = {
      phase: 'begin',
      task: undefined,
      begunAt: 0,
      handledAt: 0,
      transaction: undefined,
      handled: undefined,
      landed: () => undefined,
      recorded: undefined,
    };
    const outcome = await this.outcomeOf(attempt, run).catch((error: unknown): HandlerOutcome => ({
      kind: 'unrecordable',
      error,
    }));
    attempt.conclude(outcome);
    run.landed();
    await run.handled?.catch(() => undefined);
    attempt.end();
  }

  private async outcomeOf(attempt: Attempt, run: TransactionalRun): Promise<HandlerOutcome> {
    try {
      await this.parts.store.transaction(
        (transaction) => this.handle(attempt, run, transaction),
        attempt.claim.signal,
      );
      return committed(run);
    } catch (error) {
      if (attempt.timedOut) return SUPERSEDED;
      attempt.settle('handler');
      return this.afterFailure(attempt, run, error);
    }
  }

  /** Everything between START TRANSACTION and COMMIT. */
  private async handle(
    attempt: Attempt,
    run: TransactionalRun,
    transaction: TaskTransaction,
  ): Promise<void> {
    const { claim, input } = attempt;
    const { clock, settings, dataSource, runner, call, recorder, gate } = this.parts;
    const { steps, messages, tokens, children, progress, results, batch } = this.parts;
    run.phase = 'handler';
    run.begunAt = clock.now();
    run.transaction = transaction;
    // The claim may be lost while the task waited for the connection.
    if (claim.lost) throw ROLL_BACK;
    const context = runningOf(claim, input.view, {
      clock,
      tenant: settings.tenant,
      runner,
      dataSource,
      steps,
      messages,
      tokens,
      children,
      progress,
      results,
      batch,
      manager: transaction.manager as TaskContext['manager'],
      assertOpen: () => transaction.assertOpen(),
    });
    run.task = context.run;
    run.handled = Promise.resolve(call.invoke(attempt, context, transaction)).then((returned) =>
      isObservable(returned) ? lastValue(returned, claim.signal) : returned,
    );
    const returned = await run.handled.catch(async (error: unknown) => {
      await context.run.threw();
      throw error;
    });
    const { unawaited } = context.run;
    if (unawaited !== undefined) await unawaited;
    const result = call.completed(attempt, context, returned);
    run.handledAt = clock.now();
    await transaction.assertOpen();
    // If the attempt has timed out already, its writes must not be committed.
    if (!attempt.settle('handler') || claim.lost) throw ROLL_BACK;
    run.phase = 'outcome';
    run.landed = gate.underWay();
    const completion = await recorder.recordIn(transaction, result);
    if (completion.accepted[0] !== true) throw ROLL_BACK;
    run.recorded = { result, completion };
    run.phase = 'commit';
  }

  /**
   * The outcome of a transaction that was not committed, or is not known to be. Only failures of the handler are
   * charged to the attempt. A connection lost during the library's own statements is not, nor is a server without
   * memory for them.
   */
  private async afterFailure(
    attempt: Attempt,
    run: TransactionalRun,
    error: unknown,
  ): Promise<HandlerOutcome> {
    const { claim, input } = attempt;
    if (error === ROLL_BACK) return REFUSED;
    if (claim.lost) return SUPERSEDED;
    if (run.phase === 'handler' && run.transaction?.hasLostPlan === true) {
      return this.beginAgain(attempt, 'conflict', error);
    }
    if (run.phase === 'handler' && isOfLibrary(run, error, this.parts.store)) {
      run.task?.returned();
      return this.repeat(attempt, error);
    }
    const tooLong = (): boolean => tookMost(run, this.parts.clock.now());
    if (run.phase === 'handler' || (error instanceof OverdueTransactionError && tooLong())) {
      return thrown(attempt, run.task, error);
    }
    const failure = this.parts.store.classifyFailure(error);
    switch (decideTransaction(run.phase, failure)) {
      case 'attempt':
        return thrown(attempt, run.task, error);
      case 'unstorable':
        return resultOf(claim, input, 'Failed', { error: toStoredError(error) });
      case 'giveUp':
        return { kind: 'unrecordable', error };
      case 'lookUp':
        return this.lookUp(attempt, run);
      case 'again':
        return this.beginAgain(attempt, failure.kind, error);
    }
  }

  /** Reads the task's row after the reply to COMMIT was lost: it shows whether the transaction was committed. */
  private async lookUp(attempt: Attempt, run: TransactionalRun): Promise<HandlerOutcome> {
    if (run.recorded === undefined) return SUPERSEDED;
    if (await this.parts.recorder.isRecorded(run.recorded.result)) return committed(run);
    return this.beginAgain(attempt, 'connection', undefined);
  }

  /**
   * Repeats a handler in which a statement of the library failed. What it has to store may be the cause, if that takes longer
   * than the server allows, so the log tells.
   */
  private repeat({ claim }: Attempt, error: unknown): HandlerOutcome {
    this.logger.warn(
      `Tenant "${this.parts.settings.tenant}": task ${claim.task.name} of workflow ${claim.definition.workflow.name} will be ` +
        `retried in ${REPEAT_PAUSE_MS} ms at no cost of an attempt, because a statement of the library failed in it, ` +
        `execution ${claim.executionId}: ${toStoredError(error).message}`,
    );
    return { kind: 'givenBack', delayMs: REPEAT_PAUSE_MS };
  }

  private beginAgain({ claim }: Attempt, kind: FailureKind, error: unknown): HandlerOutcome {
    const delayMs = pauseBeforeAgain(kind);
    if (delayMs === REFUSED_PAUSE_MS) {
      this.logger.error(
        `Tenant "${this.parts.settings.tenant}": the transaction of task ${claim.task.name} could not be begun and will be ` +
          `retried in ${REFUSED_PAUSE_MS} ms, execution ${claim.executionId}: ${toStoredError(error).message}`,
      );
    }
    return { kind: 'givenBack', delayMs };
  }
}

/**
 * Whether the handler failed by a statement of the library, for a reason that may pass. A limit of the server for the whole
 * transaction counts as the handler's failure: with as much to do, each run would take as long.
 */
function isOfLibrary(
  { task }: TransactionalRun,
  error: unknown,
  store: FailureClassifier,
): boolean {
  const failure = task?.libraryFailure;
  if (failure === undefined || error instanceof OverdueTransactionError) return false;
  return mayPass(failure.error, store);
}

function committed({ recorded }: TransactionalRun): HandlerOutcome {
  return recorded === undefined ? SUPERSEDED : { kind: 'committed', ...recorded };
}

/** Rolls back a transaction whose outcome was refused. A single object, so that no handler can throw it. */
const ROLL_BACK = new Error('The outcome was refused.');
