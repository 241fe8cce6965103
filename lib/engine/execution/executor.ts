import { TaskTimeoutError, toStoredError } from '../../errors/index.js';
import { decideTask } from '../../workflow/index.js';
import type { EngineState } from '../engine-state.js';
import { endSpan } from './attempt-spans.js';
import { Attempt, type AttemptListener } from './attempt.js';
import type { TaskInput } from '../memory/execution-cache.js';
import { tooLarge } from './handler-call.js';
import type { HandlerOutcome } from './handler-outcome.js';
import type { HandlerRunner } from './handler-runner.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { Overruns } from './overruns.js';
import type { Suspects } from './suspects.js';
import type { ItemReader } from '../items/item-reader.js';
import type { InputReader } from '../memory/input-reader.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import { resultOf } from './task-result.js';
import type { TaskCompleter } from './task-completer.js';
import type { Clock } from '../../runtime/clock.js';

/** Delay before a suspect that was given back becomes due again, in milliseconds. */
const SUSPECT_PAUSE_MS = 500;

export interface ExecutorParts {
  readonly clock: Clock;
  readonly state: Pick<EngineState, 'isEnding' | 'mayBegin'>;
  readonly queue: TenantQueue;
  readonly inputs: InputReader;
  readonly items: Pick<ItemReader, 'fill'>;
  readonly handlers: Pick<HandlerRunner, 'run'>;
  readonly completer: Pick<TaskCompleter, 'complete' | 'giveBack'>;
  readonly suspects: Suspects;
  readonly overruns: Overruns;
  /** Called for an item that must not begin, because another item of its map has failed. */
  readonly mustNotBegin: (claim: TaskClaim) => void;
  /** Maximum size of a task's input, in bytes of JSON. */
  readonly maxContextSize: number;
}

/**
 * Takes a claim from its input to its outcome:
 *
 * read missing input → join the contexts of the dependencies → decide by the trigger rule (run or skip) → wait for a
 * slot → run the handler → record the outcome, or give the claim back for a retry or a deferral.
 */
export class Executor implements AttemptListener {
  private readonly completer: ExecutorParts['completer'];

  constructor(private readonly parts: ExecutorParts) {
    this.completer = parts.completer;
  }

  take(claim: TaskClaim): void {
    if (this.parts.state.isEnding) {
      this.completer.giveBack(claim);
      return;
    }
    if (this.parts.inputs.isKnown(claim) && !claim.isItem) {
      this.prepare(claim);
      return;
    }
    // The task is not in the queue yet. It reserves its room, so that no other task is claimed for it.
    const { queue } = this.parts;
    queue.occupy(1);
    this.read(claim).then(
      (mayRun) => {
        if (mayRun) this.prepare(claim);
        else this.parts.mustNotBegin(claim);
        queue.unreserve(1);
      },
      (error: unknown) => {
        queue.unreserve(1);
        this.completer.complete(claim, { kind: 'unrecordable', error });
      },
    );
  }

  /** Reads what memory lacks. Returns false for an item that must not begin, because another one has failed. */
  private async read(claim: TaskClaim): Promise<boolean> {
    const { inputs, items } = this.parts;
    const [mayRun] = await Promise.all([
      claim.isItem ? items.fill(claim) : true,
      inputs.isKnown(claim) ? undefined : inputs.fill(claim),
    ]);
    return mayRun;
  }

  private prepare(claim: TaskClaim): void {
    if (!claim.mayBegin) return;
    const { maxContextSize } = this.parts;
    let input: TaskInput;
    try {
      input = claim.cache.inputOf(claim.task.no);
      // The map's own outcome reports the conflicts.
      if (claim.isItem) input = { view: input.view, conflicts: [] };
    } catch (error) {
      this.completer.complete(claim, { kind: 'unrecordable', error });
      return;
    }
    // The rule was decided for the map.
    const decision =
      claim.isItem || (claim.task.rule === null && claim.unmetDependencies === 0)
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
    const { queue, overruns, suspects } = this.parts;
    const earlier = overruns.earlierOf(claim);
    if (earlier !== undefined) {
      // A statement that was under way at the timeout has claimed it. Other processes can begin it.
      const giveBack = (): void => {
        if (claim.mayBegin) this.completer.giveBack(claim);
      };
      earlier.afterRelease(() => this.enqueue(claim, input), giveBack);
      return;
    }
    const suspect = suspects.has(claim);
    queue.add({
      priority: claim.priority,
      suspect,
      run: (freeSlot) => this.run(claim, input, freeSlot),
      giveBack: () => this.completer.giveBack(claim, suspect ? SUSPECT_PAUSE_MS : 0),
    });
  }

  /** Runs the handler. The slot becomes free when the handler has returned or was given up. */
  private run(claim: TaskClaim, input: TaskInput, freeSlot: () => void): void {
    if (claim.mayBegin && !this.parts.state.isEnding) {
      const { suspects } = this.parts;
      if (!suspects.has(claim)) {
        this.begin(claim, input, freeSlot);
        return;
      }
      void suspects.noteBegin(claim).then(() => {
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
    const { clock, handlers } = this.parts;
    handlers.run(new Attempt(claim, input, this, freeSlot, clock));
  }

  timedOut(attempt: Attempt): void {
    const { claim, input } = attempt;
    // If the claim was lost before, another process decides about the task.
    if (claim.lost) {
      attempt.span?.ended('returned');
      return;
    }
    const error = new TaskTimeoutError(claim.task.name, claim.task.timeoutMs);
    attempt.span?.ended('failed', toStoredError(error));
    claim.abort(error);
    this.parts.overruns.timedOut(attempt);
    this.completer.complete(claim, { kind: 'failed', input, error });
  }

  concluded({ claim, span }: Attempt, outcome: HandlerOutcome): void {
    if (span !== undefined) endSpan(span, outcome);
    this.completer.complete(claim, outcome);
  }

  aborted(attempt: Attempt): void {
    this.parts.overruns.aborted(attempt);
  }

  returned(attempt: Attempt): void {
    this.parts.overruns.returned(attempt);
  }
}
