import type { Failure } from '../../runtime/failure.js';

/** How far a transactional run has come; `outcome`: its last statement before the COMMIT. */
export type TransactionPhase = 'begin' | 'handler' | 'outcome' | 'commit';

/** When the handler began and returned, by the clock's `now()`. */
export interface HandlerTimes {
  begunAt: number;
  handledAt: number;
}

/** What becomes of a task whose transaction failed; `again`: at no cost of an attempt. */
export type TransactionDecision = 'attempt' | 'again' | 'lookUp' | 'unstorable' | 'giveUp';

/** For a failure of one of the library's own statements around the handler. */
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
      // Deferred constraints and triggers run at the COMMIT: what they refuse is what the handler wrote.
      return kind === 'conflict' ? 'again' : 'attempt';
  }
}

/**
 * Whether the handler took most of the time that its transaction took. One that takes longer than the server allows
 * would do so each time, so that is charged to its attempt; a lock that the outcome waited for is not.
 */
export function tookMost({ begunAt, handledAt }: HandlerTimes, now: number): boolean {
  return handledAt - begunAt > now - handledAt;
}
