import type { ClaimKey, ClaimedTask, TaskKey } from './claims.js';

/** What a named checkpoint of a task stands for. */
export type StepKind = 'step' | 'sleep' | 'signal' | 'event' | 'child';

/** `Open` is a wait that is not over. */
export type StepStatus = 'Open' | 'Done' | 'Failed' | 'TimedOut';

/** A named checkpoint of a task, as its row has it. */
export interface StepRow extends TaskKey {
  /** The name in the code, with `#key` and `@version`. */
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  /** JSON text. */
  readonly result: string | null;
  /** JSON text of a stored error. */
  readonly error: string | null;
  /** The execution that a child step started. */
  readonly childId: string | null;
  /** As in {@link StepRecord.listensFor}. */
  readonly listensFor: { readonly name: string; readonly key: string } | null;
  /** Milliseconds until a sleep or the time limit of a wait is over, by the database's clock. Null without one. */
  readonly dueInMs: number | null;
  /** JSON text of the context of the Completed child, if the statement that has told its end returned it. */
  readonly childContext?: string;
}

/** A checkpoint as a reader of the execution gets it. */
export interface ListedStep {
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  /** When a wait was opened. Of a step: when its work began, in the run that recorded it. */
  readonly startedAt: Date;
  readonly completedAt: Date | null;
  readonly dueAt: Date | null;
  /** JSON text. Null for a step without a result, and unless results were asked for. */
  readonly result: string | null;
}

/** Maximum number of checkpoints that a claim returns. Those of a task with more are read after the claim. */
export const MAX_CLAIMED_STEPS = 20;

/** Which checkpoints a reader of executions gets, and whether with their results. */
export type StepDetail = 'none' | 'listed' | 'results';

/** Maximum number of checkpoints of one task that a reader of executions gets: the newest. */
export const MAX_LISTED_STEPS = 100;

/** When a wait is over by itself: after a time, or at an instant. */
export type StepDue = { readonly inMs: number } | { readonly at: Date };

/** A checkpoint to write, by the claim under which the task runs. */
export interface StepRecord extends ClaimKey {
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  /** JSON text. */
  readonly result: string | null;
  /** JSON text of a stored error. */
  readonly error: string | null;
  readonly childId: string | null;
  /** What an open wait listens for: the name of a signal or event, and the key of the event or the execution's id. */
  readonly listensFor: { readonly name: string; readonly key: string } | null;
  readonly due: StepDue | null;
  /** How long the work of a step took, in milliseconds. Absent: nothing was measured. */
  readonly tookMs?: number;
}

/** A checkpoint that was written, or had been written before by the same claim. */
export interface StepReply {
  /** Milliseconds until the time of {@link StepRecord.due}. Null without one. */
  readonly dueInMs: number | null;
}

/** A task that was woken, and whether it can be claimed because of it. */
export interface WokenTask extends TaskKey {
  readonly isDue: boolean;
  /** The claim, if the statement that woke the task has claimed it too. */
  readonly claim?: ClaimedTask;
}

/** Named checkpoints of tasks: finished steps, and waits. */
export interface StepStore {
  /** All checkpoints of the tasks. Read after the claim, because a claiming statement may see older rows. */
  steps(tasks: readonly TaskKey[]): Promise<StepRow[]>;
  /**
   * Writes checkpoints if their claims are still held. A checkpoint that exists is changed only if it is open, and the
   * record ends it or listens for something else. So a record that is sent again changes nothing.
   *
   * A record that is not open is progress: the task's failed attempts and recoveries so far no longer count.
   *
   * The records must be sorted by {@link byLockOrder}. By index: undefined if the claim was lost.
   */
  recordSteps(records: readonly StepRecord[]): Promise<(StepReply | undefined)[]>;
  /**
   * Wakes tasks: those that wait are due now, and those that run do not go to sleep. A wake-up without a reason is
   * harmless, because the task looks again and sleeps again. Returns the tasks that had not ended.
   */
  wake(tasks: readonly TaskKey[]): Promise<WokenTask[]>;
}
