import type { CompletionResult } from '../../store/port/index.js';
import type { TaskInput } from '../memory/execution-cache.js';
import type { TaskResult } from './task-result.js';

/**
 * What a claimed task has come to. The handler runner makes one for each attempt, and the executor for a task that needs
 * no handler; {@link TaskCompleter.complete} is the only place that decides what becomes of it.
 *
 * A {@link TaskResult} is a member itself, of the kind `ended`: most attempts end with one, and need no object beside it.
 */
export type HandlerOutcome =
  | TaskResult
  /** A transactional task's outcome, which its own transaction has recorded. */
  | {
      readonly kind: 'committed';
      readonly result: TaskResult;
      readonly completion: CompletionResult;
    }
  /** The attempt failed, by what the handler threw or by its timeout: charged, and retried as the task's policy says. */
  | { readonly kind: 'failed'; readonly input: TaskInput; readonly error: unknown }
  /** `deferUntil` waits for its condition; it is asked again in `delayMs` milliseconds. */
  | { readonly kind: 'deferred'; readonly delayMs: number }
  /** The handler never began, or its transaction was lost through no fault of its own: again in `delayMs`, free of charge. */
  | { readonly kind: 'givenBack'; readonly delayMs: number }
  /** This process does not hold the claim any more: its outcome is not taken. */
  | { readonly kind: 'refused' }
  /** The database refuses to go on with the claim, or code of the library failed. */
  | { readonly kind: 'unrecordable'; readonly error: unknown }
  /** The attempt's timeout, or what took the claim away, has decided before: there is nothing left to do. */
  | { readonly kind: 'superseded' };

export const REFUSED: HandlerOutcome = { kind: 'refused' };
export const SUPERSEDED: HandlerOutcome = { kind: 'superseded' };
