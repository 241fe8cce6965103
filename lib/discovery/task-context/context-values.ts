import type { ContextKey } from '../context-types.js';

/** Reads the execution's context, as a task sees it. */
export interface ReadableContext<C extends object> {
  /**
   * Returns a copy of the key's value, or `undefined` if the key is missing. Call {@link TaskContext.set} to store a
   * change of the copy.
   */
  get<K extends ContextKey<C>>(key: K): C[K];
  /** Whether the context has the key. A value of null counts. */
  has(key: string): boolean;
  /**
   * Returns a copy of the key's value.
   *
   * @throws InvalidContextError if the key is missing or null; the task then fails without a retry
   */
  require<K extends ContextKey<C>>(key: K): NonNullable<C[K]>;
  /** A frozen copy of the whole context, as this task sees it. */
  readonly data: Readonly<C>;
}

/** Writes keys of the execution's context. */
export interface WritableContext<C extends object> {
  /**
   * Sets the value of a top-level key; `undefined` deletes the key. The value is stored together with the task's
   * outcome, and replaces a nested value as a whole. Values that a failed attempt or a deferred run has set are
   * dropped.
   *
   * @throws InvalidContextError for a value that JSON cannot carry, with its path
   */
  set<K extends ContextKey<C>>(key: K, value: C[K]): void;
  /** Deletes a key. Like any other write, a deletion overrides the values of ancestors. */
  delete(key: string): void;
}
