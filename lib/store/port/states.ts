import type { UserTransaction } from './transactions.js';

/** A value that the library keeps under a name, such as the cursor of a poller. */
export interface StateRecord {
  readonly name: string;
  /** JSON text; null if there is no value. */
  readonly value: string | null;
  /** In milliseconds since 1970. */
  readonly updatedAt: number;
}

/** Values of the library by name. A change in a transaction is visible to others from its commit on. */
export interface StateStore {
  /** The values of these names, in any order. A name that was never set has none. */
  read(names: readonly string[], transaction?: UserTransaction): Promise<StateRecord[]>;
  /** Sets a value. Waits while an open transaction has changed it. */
  set(name: string, value: string | null, transaction?: UserTransaction): Promise<void>;
  /**
   * Sets a value in a transaction if it is still `seen`, byte for byte. It compares after it has waited for a transaction
   * that changed it.
   *
   * @param seen - null for no value
   * @returns whether the value was set
   */
  replace(
    name: string,
    value: string,
    seen: string | null,
    transaction: UserTransaction,
  ): Promise<boolean>;
}
