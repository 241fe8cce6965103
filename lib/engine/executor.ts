import { TaskTimeoutError } from '../errors/index.js';
import type { TaskKey, TenantStore } from '../store/store.js';
import { decideTask } from '../workflow/index.js';
import { Attempt, type AttemptListener } from './attempt.js';
import type { ClaimTable } from './claim-table.js';
import type { TaskInput } from './execution-memory.js';
import { tooLarge, type HandlerRunner } from './handler-runner.js';
import type { HeldClaim } from './held-claim.js';
import { HungHandlers, type HungHandler } from './hung-handlers.js';
import type { InputReader } from './input-reader.js';
import type { Lane } from './lane.js';
import { resultOf } from './task-result.js';
import type { TaskSettlement } from './task-settlement.js';
import type { TenantEvents } from './tenant-events.js';
import type { TenantSettings } from './tenant-parts.js';

/** A suspect that waits behind another one is given back for so long, in milliseconds. */
const SUSPECT_PAUSE_MS = 500;

export interface ExecutorParts {
  readonly store: TenantStore;
  readonly claims: ClaimTable;
  readonly lane: Lane;
  readonly inputs: InputReader;
  readonly handlers: HandlerRunner;
  readonly settlement: TaskSettlement;
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
  private held = false;
  private noting = 0;

  private readonly settlement: TaskSettlement;

  constructor(private readonly parts: ExecutorParts) {
    this.settlement = parts.settlement;
    this.hung = new HungHandlers({
      tenant: parts.settings.tenant,
      graceMs: parts.settings.handlerGraceMs,
      lane: parts.lane,
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

  /** Held: what has not begun doesn't, and is given back. */
  hold(held: boolean): void {
    this.held = held;
  }

  take(claim: HeldClaim): void {
    if (this.settlement.isStopping) {
      this.settlement.giveBack(claim);
      return;
    }
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
        this.settlement.giveUp(claim, error);
      },
    );
  }

  private prepare(claim: HeldClaim): void {
    if (!claim.mayBegin) return;
    const { maxContextSize } = this.parts.settings;
    let input: TaskInput;
    try {
      input = claim.memory.inputOf(claim.task.no);
    } catch (error) {
      this.settlement.giveUp(claim, error);
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
      this.settlement.record(
        resultOf(claim, input, 'Skipped', { skipReason: decision.skipReason }),
      );
    } else if (input.view.bytes > maxContextSize) {
      this.settlement.fail(claim, input, tooLarge(input.view, maxContextSize));
    } else {
      this.enqueue(claim, input);
    }
  }

  private enqueue(claim: HeldClaim, input: TaskInput): void {
    if (!claim.mayBegin) return;
    if (this.settlement.isStopping || this.held) {
      this.settlement.giveBack(claim);
      return;
    }
    const earlier = this.overrunning.get(claim.key);
    if (earlier !== undefined) {
      earlier.afterRelease(() => this.enqueue(claim, input));
      return;
    }
    this.parts.lane.add({
      priority: claim.priority,
      suspect: this.isSuspect(claim),
      run: (freeSlot) => this.run(claim, input, freeSlot),
      giveBack: () =>
        this.settlement.returnClaim(
          claim,
          'giveBack',
          this.isSuspect(claim) ? SUSPECT_PAUSE_MS : 0,
        ),
    });
  }

  private isSuspect({ recoveryAttempts }: HeldClaim): boolean {
    return recoveryAttempts >= this.parts.store.suspectAfter;
  }

  /** Notes that a suspect begins, so that the loss of the process is charged to it and not to those that wait. */
  private async noteBegin(claim: HeldClaim): Promise<void> {
    const { store, claims } = this.parts;
    const { executionId, task, token } = claim;
    this.noting++;
    try {
      if (await store.beginSuspect(executionId, task.no, token)) return;
      claims.lose(claim);
      this.settlement.refused(claim);
    } catch {
      if (claim.mayBegin) this.settlement.giveBack(claim);
    } finally {
      this.noting--;
    }
  }

  /** Frees the slot when the handler has returned or was given up. What comes of it goes on by itself. */
  private run(claim: HeldClaim, input: TaskInput, freeSlot: () => void): void {
    if (claim.mayBegin && !this.settlement.isStopping) {
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
    if (claim.mayBegin) this.settlement.giveBack(claim);
    freeSlot();
  }

  private begin(claim: HeldClaim, input: TaskInput, freeSlot: () => void): void {
    claim.stage = 'running';
    this.parts.events.ofTask('task.started', claim);
    this.parts.handlers.run(new Attempt(claim, input, this, freeSlot));
  }

  timedOut(attempt: Attempt): void {
    const { claim, input } = attempt;
    // Its claim was lost before, and with it what becomes of the task.
    if (claim.lost) return;
    const error = new TaskTimeoutError(claim.task.name, claim.task.timeoutMs);
    claim.abort(error);
    this.overrunning.set(claim.key, attempt);
    this.settlement.fail(claim, input, error);
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
