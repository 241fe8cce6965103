import type { CompletionResult } from '../../store/port/index.js';
import type { TaskInput } from '../memory/execution-cache.js';
import type { TaskResult } from './task-result.js';

/**
 * The outcome of a claimed task. The handler runner makes one for each attempt, and the executor makes one for a task
 * that needs no handler. Only {@link TaskCompleter.complete} decides what follows from it.
 *
 * A {@link TaskResult} is itself a member, of the kind `ended`. Most attempts end with one, so this saves them an
 * object.
 */
export type HandlerOutcome =
  | TaskResult
  /** The outcome of a transactional task. Its own transaction has recorded it. */
  | {
      readonly kind: 'committed';
      readonly result: TaskResult;
      readonly completion: CompletionResult;
    }
  /** The handler threw or timed out. The attempt counts, and the task's retry policy decides about another one. */
  | { readonly kind: 'failed'; readonly input: TaskInput; readonly error: unknown }
  /** `deferUntil` deferred the task. The condition is checked again in `delayMs` milliseconds. */
  | { readonly kind: 'deferred'; readonly delayMs: number }
  /**
   * A wait suspended the task. It runs again in `delayMs` milliseconds, or if that is null or if it is woken earlier,
   * when it is woken. `joins`: the number of children of which only the last one wakes it, or 0.
   */
  | { readonly kind: 'suspended'; readonly delayMs: number | null; readonly joins?: number }
  /** A map has stored its last items, in a statement that ended its claim. */
  | { readonly kind: 'expanded' }
  /**
   * The handler never began, or its transaction failed for a reason outside the handler. The task is due again in
   * `delayMs` milliseconds, and the attempt does not count.
   */
  | { readonly kind: 'givenBack'; readonly delayMs: number }
  /** This process no longer holds the claim, so the database refused the outcome. */
  | { readonly kind: 'refused' }
  /** The database can't store anything for the claim (a dropped table, say), or the library's own code failed. */
  | { readonly kind: 'unrecordable'; readonly error: unknown }
  /** The attempt's timeout or the loss of the claim came first. There is nothing left to do. */
  | { readonly kind: 'superseded' };

export const EXPANDED: HandlerOutcome = { kind: 'expanded' };
export const REFUSED: HandlerOutcome = { kind: 'refused' };
export const SUPERSEDED: HandlerOutcome = { kind: 'superseded' };
