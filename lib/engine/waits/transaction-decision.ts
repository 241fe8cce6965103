import type { Failure, FailureKind } from '../../runtime/failure.js';

/** Pause before a task runs again after its transaction failed, in milliseconds, by kind of failure. */
const PAUSES_MS: Partial<Record<FailureKind, number>> = {
  conflict: 50,
  passing: 250,
  connection: 250,
};
/** The pause after a failure that does not pass by itself, in milliseconds. */
export const REFUSED_PAUSE_MS = 5_000;
/** The pause before a handler is repeated in which a statement of the library failed, in milliseconds. */
export const REPEAT_PAUSE_MS = 1_000;

/** The pause before a task runs again whose transaction failed by no fault of its handler, in milliseconds. */
export function pauseBeforeAgain(kind: FailureKind): number {
  return PAUSES_MS[kind] ?? REFUSED_PAUSE_MS;
}

/** The phase of a transactional run. `outcome` is its last statement before the COMMIT. */
export type TransactionPhase = 'begin' | 'handler' | 'outcome' | 'commit';

/** When the handler began and returned, by the clock's `now()`. */
export interface HandlerTimes {
  begunAt: number;
  handledAt: number;
}

/**
 * What follows from a failed transaction:
 *
 * - `attempt`: the attempt failed.
 * - `again`: the task runs again, and the attempt does not count.
 * - `lookUp`: the reply to COMMIT was lost, so the task's row has to be read.
 * - `unstorable`: the outcome can't be stored, so the task fails.
 * - `giveUp`: nothing can be recorded for the claim.
 */
export type TransactionDecision = 'attempt' | 'again' | 'lookUp' | 'unstorable' | 'giveUp';

/** Decides about a failure of one of the library's own statements around the handler. */
export function decideTransaction(
  phase: Exclude<TransactionPhase, 'handler'>,
  { kind, mayBeWritten }: Pick<Failure, 'kind' | 'mayBeWritten'>,
): TransactionDecision {
  switch (phase) {
    case 'begin':
      return 'again';
    case 'outcome':
      if (kind === 'data') return 'unstorable';
      return kind === 'refused' || kind === 'bug' ? 'giveUp' : 'again';
    case 'commit':
      if (kind === 'connection') return mayBeWritten ? 'lookUp' : 'again';
      // Deferred constraints and triggers run at the COMMIT, and they refuse what the handler wrote.
      return kind === 'conflict' ? 'again' : 'attempt';
  }
}

/**
 * Whether the handler took most of the time of its transaction. If it did, a timeout of the server is charged to its
 * attempt, because each attempt would take as long. If the outcome waited for a lock instead, nothing is charged.
 */
export function tookMost({ begunAt, handledAt }: HandlerTimes, now: number): boolean {
  return handledAt - begunAt > now - handledAt;
}
