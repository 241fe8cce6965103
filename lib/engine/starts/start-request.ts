import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { StartItem } from '../../store/port/index.js';

/** What a caller asks to start, checked and encoded. What the store gets besides follows from the definition and the process. */
export interface StartRequest extends Omit<StartItem, 'claims' | 'hasWaiters' | 'plan'> {
  readonly definition: RunnableDefinition;
  /** JSON text of each key of the input. */
  readonly members: ReadonlyMap<string, string>;
  /** Whether the caller waits for the execution's end. */
  readonly isAwaited: boolean;
}

export interface Started {
  /** The execution's id; an earlier execution's if its idempotency key was taken, or if the start was skipped. */
  readonly id: string;
  readonly created: boolean;
  /** Number of roots that were claimed with it, in order. */
  readonly claims: number;
  /** Whether its row says that a caller waits for its end. */
  readonly hasWaiters: boolean;
}
