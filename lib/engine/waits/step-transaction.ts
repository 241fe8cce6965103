import {
  ClaimLostError,
  DatabaseUnavailableError,
  toStoredError,
  withoutDriver,
} from '../../errors/index.js';
import {
  OverdueTransactionError,
  type StepRow,
  type TaskTransaction,
} from '../../store/port/index.js';
import type { FailureKind } from '../../runtime/failure.js';
import type { TaskClaim } from '../claims/task-claim.js';
import {
  decideTransaction,
  pauseBeforeAgain,
  tookMost,
  type HandlerTimes,
  type TransactionPhase,
} from './transaction-decision.js';
import type { StepName } from './step-name.js';
import { stepRecord } from './step-record.js';
import type { StepServices } from './step-services.js';

/** What the transaction of a step needs of its run. */
export interface StepTransactionWork {
  /** Calls the work of the step with the manager of the transaction. */
  run(manager: unknown): unknown;
  /** JSON text of the result. @throws an error that counts as the failure of the work */
  encode(value: unknown): string | null;
  /** The stored row of the step, read anew. */
  reread(): Promise<StepRow | undefined>;
  /** Has the run end without a charge, and the task begin again after that time. */
  beginAgain(inMs: number): void;
}

/**
 * The transaction of a step: the writes of its work, and the record of its result as the last statement before COMMIT.
 *
 * The attempt pays for what the work throws, and for what the COMMIT refuses of its writes. If a statement of the library
 * fails, by a lost connection or a lock for example, the task is given back, and begins again free of charge. The work is
 * not repeated within the run: the COMMIT whose reply was lost may still be under way, and the end of the claim waits for it.
 */
export class StepTransaction {
  private phase: TransactionPhase = 'begin';
  private readonly times: HandlerTimes = { begunAt: 0, handledAt: 0 };
  private result: string | null = null;
  /** Whether a prepared statement of the library was unusable, which the work could not help. */
  private hasLostPlan = false;

  constructor(
    private readonly claim: TaskClaim,
    private readonly services: StepServices,
    private readonly name: StepName,
    private readonly work: StepTransactionWork,
  ) {}

  /** Returns the JSON text of the result. */
  async run(): Promise<string | null> {
    const { claim, services } = this;
    try {
      await services.store.transaction((transaction) => this.within(transaction), claim.signal);
      return this.result;
    } catch (error) {
      return this.afterFailure(error);
    }
  }

  /** Everything between START TRANSACTION and COMMIT. */
  private async within(transaction: TaskTransaction): Promise<void> {
    const { claim, name, services, times, work } = this;
    const { clock } = services;
    this.phase = 'handler';
    times.begunAt = clock.now();
    try {
      const value = await transaction.within(() => work.run(transaction.manager));
      this.result = work.encode(value);
      await transaction.assertOpen();
    } catch (error) {
      this.hasLostPlan = transaction.hasLostPlan;
      throw error;
    }
    times.handledAt = clock.now();
    claim.signal.throwIfAborted();
    this.phase = 'outcome';
    const done = { result: this.result, tookMs: times.handledAt - times.begunAt };
    const record = stepRecord(claim, name, 'step', 'Done', done);
    const [reply] = await transaction.recordSteps([record]);
    services.held(claim, record, reply);
    this.phase = 'commit';
  }

  private async afterFailure(error: unknown): Promise<string | null> {
    const { claim, services, phase, times } = this;
    if (claim.lost || claim.signal.aborted || error instanceof ClaimLostError) throw error;
    if (this.hasLostPlan) throw this.given('conflict', error);
    if (phase === 'handler') throw error;
    const isOverdue = error instanceof OverdueTransactionError && phase !== 'begin';
    if (isOverdue && tookMost(times, services.clock.now())) throw error;
    const failure = services.store.classifyFailure(error);
    switch (decideTransaction(phase, failure)) {
      case 'attempt':
        throw error;
      case 'giveUp':
      case 'unstorable':
        throw withoutDriver(error);
      case 'lookUp': {
        // The reply to COMMIT may be lost: then the row shows whether the transaction was committed.
        const row = await this.work.reread();
        if (row !== undefined) return row.result;
        break;
      }
      case 'again':
    }
    throw this.given(failure.kind, error);
  }

  /** Has the task given back. Returns the error that ends the run. */
  private given(kind: FailureKind, cause: unknown): DatabaseUnavailableError {
    const { claim, name, times, services } = this;
    this.work.beginAgain(pauseBeforeAgain(kind));
    const { clock } = services;
    const waitedMs = times.handledAt === 0 ? 0 : Math.round(clock.now() - times.handledAt);
    return new DatabaseUnavailableError(
      {
        waitedMs,
        explanation:
          `The transaction of step ${JSON.stringify(name.shown)} of task ${JSON.stringify(claim.task.name)} could not be ` +
          `begun, recorded or committed: ${toStoredError(cause).message}. Do not catch this. The task runs again from its beginning, ` +
          'and the attempt does not count.',
      },
      { cause },
    );
  }
}
