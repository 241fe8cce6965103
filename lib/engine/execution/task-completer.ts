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
import type { Clock } from '../../runtime/clock.js';

export interface TaskCompleterParts {
  readonly clock: Pick<Clock, 'random'>;
  readonly state: Pick<EngineState, 'isEnding'>;
  readonly store: FailureClassifier;
  readonly claims: ClaimTable;
  readonly recorder: OutcomeRecorder;
  readonly rescheduler: TaskRescheduler;
  readonly events: TenantEvents;
  readonly consequences: CompletionConsequences;
}

export interface CompletionConsequences {
  /** A task was given back and becomes due in `ms` milliseconds. */
  dueIn(ms: number): void;
  /** Memory and database may differ: compare them. */
  reconcile(): void;
}

/**
 * Decides what becomes of a claim: an outcome is recorded, or the task goes back for a retry, a deferral or another
 * process, or the claim is lost. Nothing else records or gives back.
 */
export class TaskCompleter {
  private readonly logger = new Logger('Cloacina');

  constructor(private readonly parts: TaskCompleterParts) {}

  /** Never throws: code of the library that fails here gives the claim up, and the next comparison takes it again. */
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

  /** An attempt has failed: the task is Failed, or has another one. */
  private fail(claim: TaskClaim, input: TaskInput, thrown: unknown): void {
    // It may have been the shutdown that it failed by.
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
      this.reschedule(claim, 'retry', decision.retryInMs, error);
    }
  }

  /** Without having begun, or through no fault of its own: free of charge, at once or in `delayMs` milliseconds. */
  giveBack(claim: TaskClaim, delayMs = 0): void {
    this.reschedule(claim, 'giveBack', delayMs);
  }

  /** The task is Ready again, after `delayMs`. */
  private reschedule(
    claim: TaskClaim,
    kind: 'retry' | 'defer' | 'giveBack',
    delayMs: number,
    error?: unknown,
  ): void {
    claim.stage = 'settled';
    this.parts.rescheduler.reschedule({ claim, kind, delayMs, error }).then(
      (held) => {
        // A refusal may mean that it was given back by a send whose reply was lost; then no other process knows when.
        if (held || delayMs > 0) this.parts.consequences.dueIn(delayMs);
        if (!held) this.refuse(claim);
        else if (kind === 'retry') this.parts.events.taskRetrying(claim, error, delayMs);
        else if (kind === 'defer') this.parts.events.taskDeferred(claim, delayMs);
      },
      (reason: unknown) => {
        const plain = error === undefined ? undefined : toPlainError(error);
        if (plain !== undefined && this.isUnstorable(reason) && !isDeepStrictEqual(plain, error)) {
          this.reschedule(claim, kind, delayMs, plain);
        } else {
          this.giveUp(claim, reason);
        }
      },
    );
  }

  private record(result: TaskResult): void {
    result.claim.stage = 'settled';
    this.parts.recorder.record(result).catch((error: unknown) => {
      if (!this.isUnstorable(error) || result.isLastResort === true) {
        this.giveUp(result.claim, error);
      } else {
        this.record(this.storableInstead(result, error));
      }
    });
  }

  /**
   * The outcome itself can't be stored. That is the task's failure, and no retry would change it; what it wrote is gone.
   * If the failure can't be stored either (its text has characters that the database's encoding lacks), plain ASCII can.
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

  /** This process does not hold the claim any more: its outcome is not taken. */
  private refuse(claim: TaskClaim): void {
    this.parts.claims.lose(claim);
    this.parts.events.claimLost(claim);
    this.parts.consequences.reconcile();
  }

  /**
   * The database refuses to go on with this claim (a dropped table, say). It stays in the row, where the next comparison
   * finds a claim that this process doesn't know.
   */
  private giveUp(claim: TaskClaim, error: unknown): void {
    if (!claim.lost) {
      this.logger.error(
        `Task ${claim.task.name} of execution ${claim.executionId} could not be recorded: ${toStoredError(error).message}`,
      );
    }
    this.parts.claims.lose(claim);
  }
}
