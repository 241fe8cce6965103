import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import { toPlainError, toStoredError } from '../../errors/index.js';
import type { TaskRescheduler } from '../claims/task-rescheduler.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { TaskInput } from '../memory/execution-cache.js';
import type { EngineState } from '../engine-state.js';
import { decideFailure } from './failure-decision.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { HandlerOutcome } from './handler-outcome.js';
import type { OutcomeRecorder } from './outcome-recorder.js';
import { resultOf, type TaskResult } from './task-result.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { RescheduleKind } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

export interface TaskCompleterParts {
  readonly clock: Pick<Clock, 'random'>;
  readonly state: Pick<EngineState, 'isEnding'>;
  readonly store: FailureClassifier;
  readonly claims: ClaimTable;
  readonly recorder: OutcomeRecorder;
  readonly rescheduler: TaskRescheduler;
  readonly events: TenantEvents;
  /** Cancels the items of a map before its failure is recorded. Returns false if the claim was lost. */
  readonly cancelItems: (claim: TaskClaim) => Promise<boolean>;
  readonly consequences: CompletionConsequences;
}

export interface CompletionConsequences {
  /** Called when a task was given back and becomes due in `ms` milliseconds. */
  dueIn(ms: number): void;
  /** Requests a comparison of memory with the database. */
  reconcile(): void;
}

/**
 * Decides how a claim ends: its outcome is recorded, the task goes back (for a retry, a deferral, a wait or another process),
 * or the claim is lost. Only this class records outcomes and gives claims back.
 */
export class TaskCompleter {
  private readonly logger = new Logger('Cloacina');
  /**
   * Claims that are being rescheduled. They stay in memory until their rows say so, even if their handlers end before: a
   * comparison would take a claim that only the database has for an orphan, and charge its task with a recovery.
   */
  private readonly rescheduling = new Set<TaskClaim>();

  constructor(private readonly parts: TaskCompleterParts) {}

  /** Ends the claim. Never throws: after an error in the library's code, the next comparison recovers the task. */
  complete(claim: TaskClaim, outcome: HandlerOutcome): void {
    try {
      this.decide(claim, outcome);
    } catch (error) {
      this.giveUp(claim, error);
    }
  }

  private decide(claim: TaskClaim, outcome: HandlerOutcome): void {
    switch (outcome.kind) {
      case 'ended':
        this.record(outcome);
        break;
      case 'committed':
        this.parts.recorder.follow([outcome.result], outcome.completion);
        break;
      case 'failed':
        if (!claim.lost) this.fail(claim, outcome.input, outcome.error);
        break;
      case 'deferred':
        if (!claim.lost) this.reschedule(claim, 'defer', outcome.delayMs);
        break;
      case 'suspended':
        if (!claim.lost)
          this.reschedule(claim, 'suspend', outcome.delayMs, { joins: outcome.joins });
        break;
      case 'expanded':
        this.parts.claims.release(claim);
        claim.ended();
        this.parts.events.taskSuspended(claim, null);
        break;
      case 'givenBack':
        this.giveBack(claim, outcome.delayMs);
        break;
      case 'refused':
        this.refuse(claim);
        break;
      case 'unrecordable':
        this.giveUp(claim, outcome.error);
        break;
      case 'superseded':
    }
  }

  /** Ends a failed attempt: the task fails or is retried. */
  private fail(claim: TaskClaim, input: TaskInput, thrown: unknown): void {
    // The shutdown may have caused the failure.
    if (this.parts.state.isEnding) {
      this.giveBack(claim);
      return;
    }
    const retryIf = claim.definition.handlers[claim.task.no]?.retryIf;
    const chance = this.parts.clock.random();
    const decision = decideFailure(thrown, claim.task, claim.failures + 1, retryIf, chance);
    const error = toStoredError(thrown);
    if (decision === 'fail') {
      this.record(resultOf(claim, input, 'Failed', { error }));
    } else {
      this.reschedule(claim, 'retry', decision.retryInMs, { error });
    }
  }

  /**
   * Gives the claim back without charging an attempt, unless it is being rescheduled. The task is due again in `delayMs`
   * milliseconds.
   */
  giveBack(claim: TaskClaim, delayMs = 0): void {
    if (this.rescheduling.has(claim)) return;
    this.reschedule(claim, 'giveBack', delayMs);
  }

  /** Makes the task Ready or Waiting, due in `delayMs` milliseconds. Null: when it is woken. */
  private reschedule(
    claim: TaskClaim,
    kind: RescheduleKind,
    delayMs: number | null,
    detail: { readonly error?: unknown; readonly joins?: number } = {},
  ): void {
    const { error } = detail;
    claim.stage = 'settled';
    this.rescheduling.add(claim);
    this.parts.rescheduler.reschedule({ claim, kind, delayMs, ...detail }).then(
      (result) => {
        this.rescheduling.delete(claim);
        const held = result !== 'refused';
        // An earlier send whose reply was lost may have given the task back. Then no other process knows its due time, or
        // that a suspended task was woken.
        const mayBeWoken = result === 'woken' || (!held && kind === 'suspend');
        const dueInMs = mayBeWoken ? 0 : delayMs;
        if (dueInMs !== null && (held || mayBeWoken || dueInMs > 0)) {
          this.parts.consequences.dueIn(dueInMs);
        }
        if (!held) this.refuse(claim);
        else if (kind === 'retry') this.parts.events.taskRetrying(claim, error, delayMs ?? 0);
        else if (kind === 'defer') this.parts.events.taskDeferred(claim, delayMs ?? 0);
        else if (kind === 'suspend') this.parts.events.taskSuspended(claim, delayMs);
      },
      (reason: unknown) => {
        this.rescheduling.delete(claim);
        const plain = error === undefined ? undefined : toPlainError(error);
        if (plain !== undefined && this.isUnstorable(reason) && !isDeepStrictEqual(plain, error)) {
          this.reschedule(claim, kind, delayMs, { error: plain });
        } else {
          this.giveUp(claim, reason);
        }
      },
    );
  }

  private record(result: TaskResult): void {
    const { claim } = result;
    claim.stage = 'settled';
    if (!claim.isMap || result.status !== 'Failed') {
      this.send(result);
      return;
    }
    // A map may fail while its items run. None of them may outlive it.
    this.parts.cancelItems(claim).then(
      (isHeld) => (isHeld ? this.send(result) : this.refuse(claim)),
      (error: unknown) => this.giveUp(claim, error),
    );
  }

  private send(result: TaskResult): void {
    this.parts.recorder.record(result).catch((error: unknown) => {
      if (!this.isUnstorable(error) || result.isLastResort === true) {
        this.giveUp(result.claim, error);
      } else {
        this.send(this.storableInstead(result, error));
      }
    });
  }

  /**
   * The outcome to record instead of one that can't be stored: the task fails without a retry, and its writes are
   * dropped. If its error can't be stored either, because the database's encoding lacks some characters, it is stored
   * in ASCII.
   */
  private storableInstead({ claim, status, error }: TaskResult, refusal: unknown): TaskResult {
    const input = claim.cache.inputOf(claim.task.no);
    if (status !== 'Failed') {
      return resultOf(claim, input, 'Failed', { error: toStoredError(refusal) });
    }
    const plain = { view: input.view, conflicts: [] };
    return {
      ...resultOf(claim, plain, 'Failed', { error: toPlainError(error) }),
      isLastResort: true,
    };
  }

  private isUnstorable(error: unknown): boolean {
    return this.parts.store.classifyFailure(error).kind === 'data';
  }

  /** Ends a claim that this process no longer holds. */
  private refuse(claim: TaskClaim): void {
    if (this.rescheduling.has(claim)) return;
    this.parts.claims.lose(claim);
    this.parts.events.claimLost(claim);
    this.parts.consequences.reconcile();
  }

  /**
   * Drops a claim for which nothing can be stored (the table was dropped, say). The claim stays in its row, where the
   * next comparison finds it as a claim that memory does not have.
   */
  private giveUp(claim: TaskClaim, error: unknown): void {
    if (this.rescheduling.has(claim)) return;
    if (!claim.lost) {
      this.logger.error(
        `Task ${claim.task.name} of execution ${claim.executionId} could not be recorded: ${toStoredError(error).message}`,
      );
    }
    this.parts.claims.lose(claim);
  }
}
