import { Logger } from '@nestjs/common';
import { toStoredError, type StoredError } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { knownLimitKey } from '../limits/limit-keys.js';
import { classifierOf, WRITE_LIMITS } from '../write-batches.js';
import { edgesOf, outcomesOf, outcomeWeight } from './build-outcomes.js';
import { OutcomeLookUps } from './outcome-look-ups.js';
import type { TaskResult } from './task-result.js';
import {
  type ClaimBatch,
  type CompletionResult,
  type EndedExecution,
  type OutcomeStore,
  type ReadiedTask,
  type TaskTransaction,
  type TenantStore,
  byLockOrder,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { PermitSource } from '../../runtime/permit.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum number of outcomes in one statement. */
const MAX_OUTCOMES = 300;

/**
 * Up to this number of outcomes, a batch always asks for the times of the rows. In an idle process the outcome is sent
 * before the caller of `start()` can call `result()`, and a few times cost nothing.
 */
const FEW_OUTCOMES = 10;

/** What the tenant's engine does after outcomes are recorded, and what the recorder has to know for it. */
export interface OutcomeConsequences {
  /** Whether a caller of this process waits for the end of the execution. */
  isAwaited(executionId: string): boolean;
  /** Called for each statement, with its number of outcomes. Absent: nothing is measured. */
  readonly batch?: ((size: number) => void) | undefined;
  claimed(result: TaskResult, readied: ReadiedTask, batch: ClaimBatch | undefined): void;
  /**
   * Called when a dependent became ready that this process did not claim.
   *
   * @param runsHere - whether this process has the handler
   */
  leftReady(runsHere: boolean): void;
  /**
   * Called when a dependent with a limit became ready, for which this process has the handler.
   *
   * @param limitKey - its key; undefined if this process does not know it
   */
  limitedReady(limitKey: string | undefined): void;
  ended(result: TaskResult, end: EndedExecution): void;
  recorded(result: TaskResult): void;
  refused(result: TaskResult): void;
  /** Called after a lost reply: the database may have claims that memory does not have. */
  mayBeWritten(): void;
}

/** Records outcomes in batches, and claims the dependents that become ready, as far as there is room. */
export class OutcomeRecorder {
  private readonly logger = new Logger('Cloacina');
  private readonly tasks: Batcher<TaskResult, undefined>;
  /** Outcomes of items: those of a large map would keep the tasks of other executions waiting for several statements. */
  private readonly items: Batcher<TaskResult, undefined>;
  private readonly lookUps: OutcomeLookUps;

  constructor(
    private readonly store: OutcomeStore &
      FailureClassifier &
      PermitSource &
      Pick<TenantStore, 'schema'>,
    private readonly claims: ClaimTable,
    private readonly gate: ClaimGate,
    clock: Clock,
    private readonly consequences: OutcomeConsequences,
  ) {
    const newBatcher = (): Batcher<TaskResult, undefined> =>
      new Batcher({
        clock,
        maxItems: MAX_OUTCOMES,
        ...WRITE_LIMITS,
        weight: outcomeWeight,
        permit: () => store.permit(),
        send: (results, resent) => this.send(results, resent),
        classify: classifierOf(store),
        late: (results, error) => this.reportLate(results, error),
      });
    this.tasks = newBatcher();
    this.items = newBatcher();
    this.lookUps = new OutcomeLookUps(store, clock);
  }

  /** Records an outcome. Rejects if the outcome can't be stored; the claim is still held then. */
  record(result: TaskResult): Promise<undefined> {
    return (result.claim.isItem ? this.items : this.tasks).add(result);
  }

  /** Whether the task's row has this outcome. Waits while the database is unavailable. */
  isRecorded(result: TaskResult): Promise<boolean> {
    return this.lookUps.isRecorded(result);
  }

  get isBusy(): boolean {
    return this.tasks.size > 0 || this.items.size > 0;
  }

  async whenIdle(): Promise<void> {
    const { tasks, items, lookUps } = this;
    await Promise.all([tasks.whenIdle(), items.whenIdle(), lookUps.whenIdle()]);
  }

  close(): void {
    this.tasks.close();
    this.items.close();
    this.lookUps.close();
  }

  private async send(unsorted: readonly TaskResult[], resent: boolean): Promise<undefined[]> {
    const results = unsorted
      .filter(({ claim }) => !claim.lost)
      .sort((a, b) => byLockOrder(a.claim, b.claim));
    if (results.length === 0) return unsorted.map(() => undefined);
    // Under way until the reply is followed. The room is unreserved earlier, because claimed dependents take their own.
    const landed = this.gate.underWay();
    try {
      const completion = await this.gate.withRoom(
        edgesOf(results),
        (lease, room) =>
          this.store.complete(outcomesOf(results, room), lease, this.isTimed(results)),
        (reply) => (resent ? this.settle(results, reply) : reply),
      );
      this.follow(results, completion);
      this.consequences.batch?.(results.length);
    } finally {
      landed();
    }
    return unsorted.map(() => undefined);
  }

  /**
   * Sends a task's outcome as the last statement of its own transaction. Call {@link follow} after the commit.
   */
  recordIn(
    transaction: Pick<TaskTransaction, 'complete'>,
    result: TaskResult,
  ): Promise<CompletionResult> {
    const results = [result];
    return this.gate.inTransaction(edgesOf(results), (lease, room) =>
      transaction.complete(outcomesOf(results, room), lease, this.isTimed(results)),
    );
  }

  /** Whether the reply has the times of the rows, which the results of callers that wait show. They show no items. */
  private isTimed(results: readonly TaskResult[]): boolean {
    return (
      results.length <= FEW_OUTCOMES ||
      results.some(({ claim }) => !claim.isItem && this.consequences.isAwaited(claim.executionId))
    );
  }

  /** Applies a reply to memory, and triggers what follows for claims, dependents and ended executions. */
  follow(results: readonly TaskResult[], completion: CompletionResult): void {
    for (const [i, result] of results.entries()) {
      if (completion.accepted[i] === true) {
        const { claim, status, skipReason, view } = result;
        const error = status === 'Failed' ? (result.error as StoredError) : undefined;
        const times = claim.isFirstRun ? completion.times?.[i] : undefined;
        // The cache knows tasks. What an item was is a matter of its map.
        if (!claim.isItem) {
          claim.cache.record(claim.task.no, { status, skipReason, error, view, times });
        }
        this.consequences.recorded(result);
      } else {
        this.consequences.refused(result);
      }
    }
    for (const ready of completion.readied) {
      const result = results[ready.outcome];
      if (result === undefined) continue;
      if (ready.claimed) {
        this.consequences.claimed(result, ready, completion.batch);
      } else if (!ready.paused) {
        this.leftReady(result.claim, ready.taskNo);
      }
    }
    for (const end of completion.ended) {
      const result = results[end.outcome];
      if (result !== undefined) this.consequences.ended(result, end);
    }
    // Released last: a new claim of the same execution keeps its cache alive.
    for (const [i, result] of results.entries()) {
      if (completion.accepted[i] !== true) continue;
      this.claims.release(result.claim);
      result.claim.ended();
    }
  }

  private leftReady({ definition, cache }: TaskClaim, taskNo: number): void {
    const { handlers, claimable, isPaused, workflow } = definition;
    // A resume claims it.
    if (isPaused()) return;
    const runsHere = handlers[taskNo] !== undefined;
    if (runsHere && claimable[taskNo] !== true) {
      this.consequences.limitedReady(knownLimitKey(cache, workflow.tasks[taskNo] ?? {}));
    } else {
      this.consequences.leftReady(runsHere);
    }
  }

  /** Resolves refusals after a lost reply: the first send may have recorded the outcome, which its row shows. */
  private async settle(
    results: readonly TaskResult[],
    completion: CompletionResult,
  ): Promise<CompletionResult> {
    this.consequences.mayBeWritten();
    const refused = results.filter((_, i) => completion.accepted[i] !== true);
    if (refused.length === 0) return completion;
    const areRecorded = await this.lookUps.read(refused);
    const recorded = new Set(refused.filter((_, i) => areRecorded[i]));
    // The lost reply named the dependents that these outcomes made ready.
    if (recorded.size > 0) this.consequences.leftReady(false);
    return {
      ...completion,
      accepted: results.map((result, i) => completion.accepted[i] === true || recorded.has(result)),
    };
  }

  private reportLate(results: readonly TaskResult[], error: unknown): void {
    const [first] = results;
    if (first === undefined) return;
    const { claim } = first;
    const others = results.length === 1 ? '' : ` and ${results.length - 1} more`;
    this.logger.warn(
      `Schema "${this.store.schema}": the outcome of task ${claim.task.name} of execution ${claim.executionId}${others} ` +
        `could not be recorded for some seconds and will be retried: ${toStoredError(error).message}`,
    );
  }
}
