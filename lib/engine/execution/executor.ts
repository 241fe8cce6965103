import { TaskTimeoutError } from '../../errors/index.js';
import { decideTask } from '../../workflow/index.js';
import type { EngineState } from '../engine-state.js';
import { Attempt, type AttemptListener } from './attempt.js';
import type { TaskInput } from '../memory/execution-cache.js';
import { tooLarge } from './handler-call.js';
import { type HandlerOutcome, REFUSED } from './handler-outcome.js';
import type { HandlerRunner } from './handler-runner.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { HungHandlers, type HungHandler } from './hung-handlers.js';
import type { InputReader } from '../memory/input-reader.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import { resultOf } from './task-result.js';
import type { TaskCompleter } from './task-completer.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { TenantSettings } from '../process-services.js';
import type { ClaimStore, TaskKey } from '../../store/port/index.js';

/** How long a suspect that waits behind another one is given back, in milliseconds. */
const SUSPECT_PAUSE_MS = 500;

export interface ExecutorParts {
  readonly state: Pick<EngineState, 'isEnding' | 'mayBegin'>;
  readonly store: ClaimStore;
  readonly queue: TenantQueue;
  readonly inputs: InputReader;
  readonly handlers: HandlerRunner;
  readonly completer: TaskCompleter;
  readonly events: TenantEvents;
  readonly settings: TenantSettings;
  /** A handler has returned at last, or was given up, whose task may wait for that. */
  readonly overrunEnded: () => void;
}

/**
 * What happens to a claim, from its input to its outcome:
 *
 * read what is missing → join the dependencies' contexts → decide by the rule (run or skip) → wait for a slot →
 * run the handler → record the outcome, or give the claim back for a retry or a deferral.
 */
export class Executor implements AttemptListener {
  /**
   * Attempts that timed out and whose handlers have not returned, each under the task that doesn't begin again here
   * before they do or are given up. Other processes may take it.
   */
  private readonly overrunning = new Map<string, Attempt>();
  private readonly hung: HungHandlers;
  private noting = 0;

  private readonly completer: TaskCompleter;

  constructor(private readonly parts: ExecutorParts) {
    this.completer = parts.completer;
    this.hung = new HungHandlers({
      tenant: parts.settings.tenant,
      graceMs: parts.settings.handlerGraceMs,
      queue: parts.queue,
      giveUp: (attempt) => this.giveUp(attempt),
    });
  }

  overrunningTasks(): TaskKey[] {
    return [...this.overrunning.values()].map(({ claim }) => ({
      executionId: claim.executionId,
      taskNo: claim.task.no,
    }));
  }

  /** Handlers that go on though their signals were aborted a while ago. */
  hungHandlers(): HungHandler[] {
    return this.hung.list();
  }

  /** Whether a suspect's begin is being noted. */
  get isNoting(): boolean {
    return this.noting > 0;
  }

  close(): void {
    this.hung.close();
  }

  take(claim: TaskClaim): void {
    if (this.parts.state.isEnding) {
      this.completer.giveBack(claim);
      return;
    }
    if (this.parts.inputs.isKnown(claim)) {
      this.prepare(claim);
      return;
    }
    // It is not queued yet and has its place reserved: no other task is claimed for it.
    const { queue, inputs } = this.parts;
    queue.occupy(1);
    inputs.fill(claim).then(
      () => {
        this.prepare(claim);
        queue.unreserve(1);
      },
      (error: unknown) => {
        queue.unreserve(1);
        this.completer.complete(claim, { kind: 'unrecordable', error });
      },
    );
  }

  private prepare(claim: TaskClaim): void {
    if (!claim.mayBegin) return;
    const { maxContextSize } = this.parts.settings;
    let input: TaskInput;
    try {
      input = claim.cache.inputOf(claim.task.no);
    } catch (error) {
      this.completer.complete(claim, { kind: 'unrecordable', error });
      return;
    }
    const decision =
      claim.task.rule === null && claim.unmetDependencies === 0
        ? { run: true as const }
        : decideTask(
            claim.task,
            claim.definition.workflow,
            (no) => claim.cache.outcome(no) ?? { status: 'Cancelled' },
            input.view,
          );
    if (!decision.run) {
      const { skipReason } = decision;
      this.completer.complete(claim, resultOf(claim, input, 'Skipped', { skipReason }));
    } else if (input.view.bytes > maxContextSize) {
      const error = tooLarge(input.view, maxContextSize);
      this.completer.complete(claim, { kind: 'failed', input, error });
    } else {
      this.enqueue(claim, input);
    }
  }

  private enqueue(claim: TaskClaim, input: TaskInput): void {
    if (!claim.mayBegin) return;
    if (!this.parts.state.mayBegin) {
      this.completer.giveBack(claim);
      return;
    }
    const earlier = this.overrunning.get(claim.key);
    if (earlier !== undefined) {
      earlier.afterRelease(() => this.enqueue(claim, input));
      return;
    }
    this.parts.queue.add({
      priority: claim.priority,
      suspect: this.isSuspect(claim),
      run: (freeSlot) => this.run(claim, input, freeSlot),
      giveBack: () => this.completer.giveBack(claim, this.isSuspect(claim) ? SUSPECT_PAUSE_MS : 0),
    });
  }

  private isSuspect({ recoveryAttempts }: TaskClaim): boolean {
    return recoveryAttempts >= this.parts.store.suspectAfter;
  }

  /** Notes that a suspect begins, so that the loss of the process is charged to it and not to those that wait. */
  private async noteBegin(claim: TaskClaim): Promise<void> {
    const { store } = this.parts;
    const { executionId, task, token } = claim;
    this.noting++;
    try {
      if (await store.beginSuspect(executionId, task.no, token)) return;
      this.completer.complete(claim, REFUSED);
    } catch {
      if (claim.mayBegin) this.completer.giveBack(claim);
    } finally {
      this.noting--;
    }
  }

  /** Frees the slot when the handler has returned or was given up. What comes of it goes on by itself. */
  private run(claim: TaskClaim, input: TaskInput, freeSlot: () => void): void {
    if (claim.mayBegin && !this.parts.state.isEnding) {
      if (!this.isSuspect(claim)) {
        this.begin(claim, input, freeSlot);
        return;
      }
      void this.noteBegin(claim).then(() => {
        if (claim.mayBegin) this.begin(claim, input, freeSlot);
        else freeSlot();
      });
      return;
    }
    if (claim.mayBegin) this.completer.giveBack(claim);
    freeSlot();
  }

  private begin(claim: TaskClaim, input: TaskInput, freeSlot: () => void): void {
    claim.stage = 'running';
    this.parts.events.taskStarted(claim);
    this.parts.handlers.run(new Attempt(claim, input, this, freeSlot));
  }

  timedOut(attempt: Attempt): void {
    const { claim, input } = attempt;
    // Its claim was lost before, and with it what becomes of the task.
    if (claim.lost) return;
    const error = new TaskTimeoutError(claim.task.name, claim.task.timeoutMs);
    claim.abort(error);
    this.overrunning.set(claim.key, attempt);
    this.completer.complete(claim, { kind: 'failed', input, error });
  }

  concluded({ claim }: Attempt, outcome: HandlerOutcome): void {
    this.completer.complete(claim, outcome);
  }

  aborted(attempt: Attempt): void {
    this.hung.aborted(attempt);
  }

  returned(attempt: Attempt): void {
    this.hung.returned(attempt);
    this.mayBeginAgain(attempt);
  }

  private giveUp(attempt: Attempt): void {
    // First, for what waits for the slot asks whether the task still overruns.
    this.mayBeginAgain(attempt);
    attempt.release();
  }

  private mayBeginAgain(attempt: Attempt): void {
    const { key } = attempt.claim;
    if (this.overrunning.get(key) !== attempt) return;
    this.overrunning.delete(key);
    this.parts.overrunEnded();
  }
}
