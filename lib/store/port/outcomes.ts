import type { LeaseWrite } from './leases.js';

/** What an outcome says beyond its status and output; most have none of it. */
export interface OutcomeDetail {
  readonly error?: unknown;
  readonly skipReason?: 'rule' | 'upstreamFailure';
  readonly deletedKeys?: readonly string[];
  readonly events?: readonly { readonly kind: string; readonly detail: unknown }[];
}

export interface DependentEdge {
  readonly taskNo: number;
  /** Whether this process takes the dependent if this outcome makes it ready. */
  readonly claim: boolean;
}

export interface Outcome {
  readonly executionId: string;
  readonly taskNo: number;
  readonly token: number;
  readonly status: 'Completed' | 'Failed' | 'Skipped';
  /** JSON text of the written keys, or null when nothing was written. */
  readonly output: string | null;
  readonly detail: OutcomeDetail | null;
  readonly leaf: boolean;
  readonly dependents: readonly DependentEdge[];
  /** Failed dependencies that this task, by completing, counts as handled. */
  readonly handles: readonly number[];
  /** JSON text of the final context, if this outcome may end the execution and every part of it is known. */
  readonly finalContext: string | null;
}

/** A dependent that an outcome made ready. `outcome` is the index, in the batch, of an outcome of its execution. */
export interface ReadiedTask {
  readonly outcome: number;
  readonly taskNo: number;
  readonly claimed: boolean;
  readonly paused: boolean;
  readonly token: number;
  readonly unmetDependencies: number;
  readonly generation: number;
}

export interface EndedExecution {
  readonly outcome: number;
  readonly status: 'Completed' | 'Failed';
  readonly hasWaiters: boolean;
  /** The final context is still to be written. */
  readonly contextMissing: boolean;
}

export interface CompletionResult {
  /** By index in the batch: false where the claim was lost and nothing was written. */
  readonly accepted: readonly boolean[];
  readonly readied: readonly ReadiedTask[];
  readonly ended: readonly EndedExecution[];
}

/** What a finished task left behind, as far as its successors need it. */
export interface RecordedOutcome {
  readonly executionId: string;
  readonly taskNo: number;
  readonly status: string;
  readonly skipReason: string | null;
  /** JSON text of the written keys. */
  readonly output: string | null;
  readonly deletedKeys: readonly string[];
  /** One more than the token of the claim under which the outcome was recorded. */
  readonly token: number;
}

export interface ExecutionInput {
  /** JSON text. */
  readonly input: string;
  /** Until the workflow's timeout; null without one. */
  readonly deadlineInMs: number | null;
}

/** Records what became of claimed tasks, and reads what others became. */
export interface OutcomeStore {
  /** Sorted by execution and task. */
  complete(outcomes: readonly Outcome[], lease: LeaseWrite): Promise<CompletionResult>;
  outcomes(
    tasks: readonly { readonly executionId: string; readonly taskNo: number }[],
  ): Promise<RecordedOutcome[]>;
  inputs(ids: readonly string[]): Promise<Map<string, ExecutionInput>>;
  writeFinalContext(id: string, context: string, generation: number): Promise<void>;
}
