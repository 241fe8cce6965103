import type { SkipReason } from '../../workflow/states.js';
import type { ClaimBatch, ClaimKey, TaskKey } from './claims.js';
import type { LeaseWrite } from './leases.js';

/** Parts of an outcome beside its status and output. Most outcomes have none. */
export interface OutcomeDetail {
  readonly error?: unknown;
  readonly skipReason?: SkipReason;
  readonly deletedKeys?: readonly string[];
  readonly events?: readonly { readonly kind: string; readonly detail: unknown }[];
}

/** A dependent of a task with an outcome: a task, or for an item its task. Never an item. */
export interface DependentEdge {
  readonly taskNo: number;
  /** Whether this process claims the dependent if the outcome makes it ready. */
  readonly claim: boolean;
}

/** The outcome of a claimed task. */
export interface Outcome extends ClaimKey {
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** JSON text of the written keys. Null if nothing was written. */
  readonly output: string | null;
  readonly detail: OutcomeDetail | null;
  /** Whether the task has no dependents. An item always has one. */
  readonly leaf: boolean;
  readonly dependents: readonly DependentEdge[];
  /** Failed dependencies whose failure counts as handled if this task completes. */
  readonly handles: readonly number[];
  /** JSON text of the final context, if this outcome may end the execution and all parts of the context are known. */
  readonly finalContext: string | null;
}

/** A dependent that an outcome made ready. `outcome` is the index in the batch of an outcome of the same execution. */
export interface ReadiedTask {
  readonly outcome: number;
  readonly taskNo: number;
  readonly claimed: boolean;
  readonly paused: boolean;
  readonly token: number;
  readonly unmetDependencies: number;
  readonly generation: number;
  readonly wakes: number;
  readonly hasSteps: boolean;
}

/** The times of a task's row, in milliseconds since 1970. */
export interface TaskTimes {
  readonly startedAt: number;
  readonly completedAt: number;
}

/** The columns of an ended execution's row that only the database knows. Times are in milliseconds since 1970. */
export interface EndedRow {
  readonly createdAt: number;
  readonly startedAt: number;
  readonly completedAt: number;
  /** Whether the row has the reason of a pause: the last tasks may end while the execution is Paused. */
  readonly hasReason: boolean;
}

/** An execution that an outcome ended. `outcome` is the index in the batch of an outcome of the execution. */
export interface EndedExecution {
  readonly outcome: number;
  readonly status: 'Completed' | 'Failed';
  readonly hasWaiters: boolean;
  /** What the end has still to bring about, as bits. */
  readonly unsettled: number;
  /** Whether the final context has to be written separately. */
  readonly contextMissing: boolean;
  /** Present if the batch was sent with `timed`. */
  readonly row?: EndedRow;
}

/** The result of recording a batch of outcomes. */
export interface CompletionResult {
  /** By index in the batch. False if the claim was lost, so nothing was written. */
  readonly accepted: readonly boolean[];
  readonly readied: readonly ReadiedTask[];
  readonly ended: readonly EndedExecution[];
  /** Present if the batch was sent with `timed`. By index in the batch; undefined for an outcome that was not written. */
  readonly times?: readonly (TaskTimes | undefined)[];
  /** The batch of the claimed dependents. */
  readonly batch?: ClaimBatch | undefined;
}

/** The recorded outcome of a finished task, as its successors need it. */
export interface RecordedOutcome extends TaskKey {
  readonly status: string;
  readonly skipReason: string | null;
  /** JSON text of a Failed task's error. */
  readonly error: string | null;
  /** JSON text of the written keys. */
  readonly output: string | null;
  readonly deletedKeys: readonly string[];
  /** The token of the claim under which the outcome was recorded, plus one. */
  readonly token: number;
}

/** The input of an execution. */
export interface ExecutionInput {
  /** JSON text. */
  readonly input: string;
  /** Milliseconds until the workflow's timeout. Null without a timeout. */
  readonly deadlineInMs: number | null;
  /** The span of the start; see `StartItem.traceContext`. */
  readonly traceContext: string | null;
}

/** Records outcomes of claimed tasks, and reads recorded outcomes. */
export interface OutcomeStore {
  /**
   * Records a batch in one statement. The outcomes must be sorted by {@link byLockOrder}.
   *
   * @param timed - whether to return the times of the written rows, for callers that wait for an execution. Default: false
   */
  complete(
    outcomes: readonly Outcome[],
    lease: LeaseWrite,
    timed?: boolean,
  ): Promise<CompletionResult>;
  outcomes(tasks: readonly TaskKey[]): Promise<RecordedOutcome[]>;
  inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>>;
  writeFinalContext(id: string, context: string, generation: number): Promise<void>;
}
