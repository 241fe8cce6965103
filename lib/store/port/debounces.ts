import type { StartItem } from './starts.js';

/** A start that replaces the input of an execution with the same key that has not begun. */
export interface DebouncedStart {
  /** Its times and its idempotency key are not used, and none of its tasks is claimed. */
  readonly item: StartItem;
  readonly key: string;
  /** When the execution is due, in milliseconds from now. */
  readonly waitMs: number;
  /** The latest time at which it is due, in milliseconds after the first start. Null: none. */
  readonly maxMs: number | null;
}

/**
 * What a debounced start did:
 * - `created`: it created an execution, now or when it was sent before.
 * - `updated`: it replaced the input of an execution, now or when it was sent before.
 * - `raced`: another start or the begin of the execution came between. It has to be sent again.
 */
export type DebounceFate = 'created' | 'updated' | 'raced';

export interface DebounceResult {
  readonly fate: DebounceFate;
  /** The execution; of a start that raced its own id. */
  readonly id: string;
}

export interface DebounceReply {
  /** By index. */
  readonly starts: readonly DebounceResult[];
  readonly definitionsAreStored: boolean;
}

/** Starts executions that wait for further starts with the same key. */
export interface DebounceStore {
  /** @param starts - of different keys, sorted by workflow and key */
  start(starts: readonly DebouncedStart[]): Promise<DebounceReply>;
}
