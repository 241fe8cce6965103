import { AsyncResource } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import {
  ContextTooLargeError,
  TaskAbandonedError,
  TaskTimeoutError,
  toStoredError,
} from '../errors/index.js';
import type { TaskKey, TenantStore } from '../store/store.js';
import { decideTask, type ContextView } from '../workflow/index.js';
import { Attempt } from './attempt.js';
import type { ClaimReturner } from './claim-returner.js';
import type { ClaimTable } from './claim-table.js';
import { runInTask } from './current-task.js';
import type { TaskInput } from './execution-memory.js';
import { decideFailure } from './failure-decision.js';
import type { HeldClaim } from './held-claim.js';
import type { InputReader } from './input-reader.js';
import type { OutcomeRecorder } from './outcome-recorder.js';
import type { Lane } from './run-queue.js';
import { DeferralSignal, RunningTask, type TaskSurroundings } from './running-task.js';
import { encodeWrites, resultOf, type TaskResult } from './task-result.js';
import type { TenantEvents } from './tenant-events.js';
import type { TenantSettings } from './tenant-parts.js';

/** A suspect that waits behind another one is given back for so long, in milliseconds. */
const SUSPECT_PAUSE_MS = 500;
/** A transactional task whose outcome lost a race for its rows begins again after so long, in milliseconds. */
const CONFLICT_PAUSE_MS = 50;

export interface ExecutorParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly lane: Lane;
  readonly inputs: InputReader;
  readonly recorder: OutcomeRecorder;
  readonly returner: ClaimReturner;
  readonly events: TenantEvents;
  /** A task was given back and becomes due in so many milliseconds. */
  readonly dueIn: (ms: number) => void;
  /** A handler has returned at last whose task may wait for that. */
  readonly overrunEnded: () => void;
  /** Memory and database may differ: compare them. */
  readonly uncertain: () => void;
}

/**
 * What happens to a claim, from its input to its outcome:
 *
 * read what is missing → join the dependencies' contexts → decide by the rule (run or skip) → wait for a slot →
 * run the handler → record the outcome, or give the claim back for a retry or a deferral.
 */
export class Executor {
  private readonly logger = new Logger('Cloacina');
  /**
   * Handlers that were given up (timed out) and have not returned, each under the task that doesn't begin again here
   * before. Other processes may take it.
   */
  private readonly overrunning = new Map<string, Attempt>();
  private stopping = false;
  private held = false;
  private readonly scope = new AsyncResource('CloacinaTask');

  private readonly surroundings: TaskSurroundings;

  constructor(private readonly parts: ExecutorParts) {
    const { store, settings } = parts;
    this.surroundings = {
      tenant: settings.tenant,
      dataSource: store.dataSource,
      get manager() {
        return store.dataSource.manager;
      },
    };
  }

  overrunningTasks(): TaskKey[] {
    return [...this.overrunning.values()].map(({ claim }) => ({
      executionId: claim.executionId,
      taskNo: claim.task.no,
    }));
  }

  /** From now on a failure costs no attempt: the task is given back. */
  stop(): void {
    this.stopping = true;
  }

  /** Held: what has not begun doesn't, and is given back. */
  hold(held: boolean): void {
    this.held = held;
  }

  take(claim: HeldClaim): void {
    if (this.parts.inputs.isKnown(claim)) {
      this.prepare(claim);
      return;
    }
    // It is not in line yet, and has its place in line: nobody else is claimed for that.
    const { lane, inputs } = this.parts;
    lane.hold(1);
    inputs.fill(claim).then(
      () => {
        this.prepare(claim);
        lane.unreserve(1);
      },
      (error: unknown) => {
        lane.unreserve(1);
        this.giveUp(claim, error);
      },
    );
  }

  private prepare(claim: HeldClaim): void {
    if (!claim.mayBegin) return;
    let input: TaskInput;
    try {
      input = claim.memory.inputOf(claim.task.no);
    } catch (error) {
      this.giveUp(claim, error);
      return;
    }
    const decision =
      claim.task.rule === null && claim.unmetDependencies === 0
        ? { run: true as const }
        : decideTask(
            claim.task,
            claim.definition.workflow,
            (no) => claim.memory.outcome(no) ?? { status: 'Cancelled' },
            input.view,
          );
    if (!decision.run) {
      this.record(resultOf(claim, input, 'Skipped', { skipReason: decision.skipReason }));
    } else if (input.view.bytes > this.parts.settings.maxContextSize) {
      this.fail(claim, input, this.tooLarge(input.view));
    } else {
      this.enqueue(claim, input);
    }
  }

  private enqueue(claim: HeldClaim, input: TaskInput): void {
    if (!claim.mayBegin) return;
    if (this.stopping || this.held) {
      this.giveBack(claim);
      return;
    }
    const earlier = this.overrunning.get(claim.key);
    if (earlier !== undefined) {
      void earlier.returned?.then(() => this.enqueue(claim, input));
      return;
    }
    this.parts.lane.add({
      priority: claim.priority,
      suspect: this.isSuspect(claim),
      run: () => this.run(claim, input),
      giveBack: () =>
        this.returnClaim(claim, 'giveBack', this.isSuspect(claim) ? SUSPECT_PAUSE_MS : 0),
    });
  }

  private isSuspect({ recoveryAttempts }: HeldClaim): boolean {
    return recoveryAttempts >= this.parts.store.suspectAfter;
  }

  /** Notes that a suspect begins, so that the loss of the process is charged to it and not to those that wait. */
  private async noteBegin(claim: HeldClaim): Promise<void> {
    const { store, claims } = this.parts;
    try {
      if (await store.beginSuspect(claim.executionId, claim.task.no, claim.token)) return;
      claims.lose(claim);
      this.refused(claim);
    } catch {
      if (claim.mayBegin) this.giveBack(claim);
    }
  }

  /** Resolves when the handler has returned, which frees its slot; what comes of it goes on by itself. */
  private run(claim: HeldClaim, input: TaskInput): Promise<void> {
    if (!claim.mayBegin) return NOTHING;
    if (this.stopping) {
      this.giveBack(claim);
      return NOTHING;
    }
    if (!this.isSuspect(claim)) return this.begin(claim, input);
    return this.noteBegin(claim).then(() =>
      claim.mayBegin ? this.begin(claim, input) : undefined,
    );
  }

  private begin(claim: HeldClaim, input: TaskInput): Promise<void> {
    claim.stage = 'running';
    this.parts.events.ofTask('task.started', claim);
    const attempt = new Attempt(claim, input, this.onTimeout);
    attempt.returned = claim.task.transactional
      ? this.runTransactional(attempt)
      : this.runHandler(attempt);
    return attempt.returned;
  }

  private readonly onTimeout = (attempt: Attempt): void => {
    const { claim, input } = attempt;
    const error = new TaskTimeoutError(claim.task.name, claim.task.timeoutMs);
    if (!attempt.settle('timeout')) return;
    claim.abort(error);
    this.overrunning.set(claim.key, attempt);
    this.fail(claim, input, error);
  };

  /** The handler has returned, in time or at last. */
  private handlerReturned(attempt: Attempt): void {
    const { key } = attempt.claim;
    attempt.stopTimer();
    if (this.overrunning.get(key) !== attempt) return;
    this.overrunning.delete(key);
    this.parts.overrunEnded();
  }

  private async runHandler(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const context = new RunningTask(claim, input.view, this.surroundings);
    try {
      const result = this.finish(attempt, context, await this.invoke(attempt, context));
      if (attempt.settle('handler')) this.record(result);
    } catch (error) {
      if (attempt.settle('handler')) this.afterThrow(claim, input, context, error);
    } finally {
      this.handlerReturned(attempt);
    }
  }

  /** The handler's writes and the outcome in one transaction; the outcome is the last statement before COMMIT. */
  private async runTransactional(attempt: Attempt): Promise<void> {
    const { claim, input } = attempt;
    const { store, recorder, settings } = this.parts;
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
      });
      if (result !== undefined) recorder.follow([result], completion);
    } catch (error) {
      if (attempt.timedOut) return;
      attempt.settle('handler');
      if (error === REFUSED) {
        this.parts.claims.lose(claim);
        this.refused(claim);
      } else if (recording && !claim.lost && store.failureKind(error) === 'conflict') {
        // The handler has done its part, and a lost race costs it no attempt.
        this.returnClaim(claim, 'giveBack', CONFLICT_PAUSE_MS);
      } else {
        // A connection that broke at COMMIT leaves it open whether the outcome stands. The failure is fenced by
        // the same token: it is refused if it does.
        this.afterThrow(claim, input, context, error);
      }
    } finally {
      this.handlerReturned(attempt);
    }
  }

  private invoke(attempt: Attempt, context: RunningTask): unknown {
    const { claim } = attempt;
    const handler = claim.definition.handlers[claim.task.no];
    if (handler === undefined) throw new Error(`No handler for task "${claim.task.name}".`);
    attempt.startTimer();
    // What happens to start a task (a request, another task) is not what it runs in.
    return this.scope.runInAsyncScope(() => runInTask(context, () => handler.run(context)));
  }

  /** Turns what the handler returned into its outcome; throws what has to count as the handler's failure. */
  private finish(attempt: Attempt, context: RunningTask, returned: unknown): TaskResult {
    if (context.deferredForNextMs !== undefined) throw new DeferralSignal();
    const { claim, input } = attempt;
    const writes = context.finish(returned);
    if (writes.size === 0) return resultOf(claim, input, 'Completed', {});
    const view = input.view.withWrites(claim.task.no, writes);
    if (view.bytes > this.parts.settings.maxContextSize) throw this.tooLarge(view);
    return resultOf(claim, input, 'Completed', { view, ...encodeWrites(writes) });
  }

  private afterThrow(
    claim: HeldClaim,
    input: TaskInput,
    context: RunningTask | undefined,
    thrown: unknown,
  ): void {
    const deferredMs = context?.deferredForNextMs;
    if (claim.lost) return;
    if (deferredMs === undefined) this.fail(claim, input, thrown);
    else this.returnClaim(claim, 'defer', deferredMs);
  }

  private fail(claim: HeldClaim, input: TaskInput, thrown: unknown): void {
    if (claim.lost) return;
    if (this.stopping) {
      this.giveBack(claim);
      return;
    }
    const retryIf = claim.definition.handlers[claim.task.no]?.retryIf;
    const decision = decideFailure(thrown, claim.task, claim.failures + 1, retryIf, Math.random());
    const error = toStoredError(thrown);
    if (decision === 'fail') {
      this.record(resultOf(claim, input, 'Failed', { error }));
    } else {
      this.parts.events.ofTask('task.retrying', claim, 'Ready');
      this.returnClaim(claim, 'retry', decision.retryInMs, error);
    }
  }

  /** Fails a task that was lost too often, without running it. */
  abandon(claim: HeldClaim, owners: readonly string[]): void {
    claim.stage = 'settled';
    const error = toStoredError(new TaskAbandonedError(claim.task.name, owners));
    this.parts.inputs.fill(claim).then(
      () => this.record(resultOf(claim, claim.memory.inputOf(claim.task.no), 'Failed', { error })),
      (reason: unknown) => this.giveUp(claim, reason),
    );
  }

  giveBack(claim: HeldClaim): void {
    this.returnClaim(claim, 'giveBack', 0);
  }

  private returnClaim(
    claim: HeldClaim,
    kind: 'retry' | 'defer' | 'giveBack',
    delayMs: number,
    error?: unknown,
  ): void {
    claim.stage = 'settled';
    if (kind === 'defer') this.parts.events.ofTask('task.deferred', claim, 'Ready');
    this.parts.returner.giveBack({ claim, kind, delayMs, error }).then(
      (held) => {
        // A refusal may mean that it was given back by a send whose reply was lost; then nobody else knows when.
        if (held || delayMs > 0) this.parts.dueIn(delayMs);
        if (!held) this.refused(claim);
      },
      (reason: unknown) => this.giveUp(claim, reason),
    );
  }

  private record(result: TaskResult): void {
    result.claim.stage = 'settled';
    this.parts.recorder.record(result).catch((error: unknown) => {
      const { claim } = result;
      if (this.parts.store.failureKind(error) !== 'data' || result.status === 'Failed') {
        this.giveUp(claim, error);
        return;
      }
      // The outcome itself can't be stored. That is the task's failure, and no retry would change it.
      this.record({
        ...result,
        status: 'Failed',
        output: null,
        deletedKeys: [],
        error: toStoredError(error),
      });
    });
  }

  private refused(claim: HeldClaim): void {
    this.parts.events.ofTask('claim.lost', claim);
    this.parts.uncertain();
  }

  /** The database refuses to go on with this claim (a dropped table, say): it stays in the row for recovery. */
  private giveUp(claim: HeldClaim, error: unknown): void {
    if (!claim.lost) {
      this.logger.error(
        `Task ${claim.task.name} of execution ${claim.executionId} could not be recorded: ${toStoredError(error).message}`,
      );
    }
    this.parts.claims.lose(claim);
  }

  private tooLarge(view: ContextView): ContextTooLargeError {
    const largest = view
      .keys()
      .map((key): readonly [string, number] => [key, view.get(key)?.bytes ?? 0])
      .sort((a, b) => b[1] - a[1]);
    return new ContextTooLargeError(view.bytes, this.parts.settings.maxContextSize, largest);
  }
}

/** Rolls a task's transaction back whose outcome is not taken any more. Not a class that a handler could throw. */
const REFUSED = new Error('The outcome was refused.');

const NOTHING = Promise.resolve();
