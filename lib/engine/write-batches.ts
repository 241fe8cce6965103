import type { Failure, FailureClassifier } from '../runtime/failure.js';

/** Bytes that cost a statement as much as a row. */
const BYTES_PER_ROW = 1_000;
/**
 * Lock timeouts of a batch of keyed rows and of a single one, in milliseconds. They are long enough for the batches of other
 * processes. A row whose key is held longer waits between tries, without a connection.
 */
const BATCH_LOCK_TIMEOUT_MS = 100;
const LONE_LOCK_TIMEOUT_MS = 25;

/**
 * Limits of statements that write a batch of rows: their weight in rows, because the cost also grows with dependents and
 * bytes, and how many are under way. More would only compete for the server's cores and connections.
 */
export const WRITE_LIMITS = { maxWeight: 12_000, maxStatements: 2 } as const;

/** The weight of a batch's item: its rows, and its bytes as rows. */
export function weightOf(rows: number, bytes: number): number {
  return rows + bytes / BYTES_PER_ROW;
}

/** Limits the retries of held keys to half of one connection: one at a time, with a pause after each. */
export const HELD_KEYS = { atOnce: 1, pauseMs: LONE_LOCK_TIMEOUT_MS } as const;

/** How long a statement with this number of keyed rows waits for keys that other transactions hold, in milliseconds. */
export function keyLockTimeoutMs(rows: number): number {
  return rows > 1 ? BATCH_LOCK_TIMEOUT_MS : LONE_LOCK_TIMEOUT_MS;
}

/** The store's classification of failures, as a batcher takes it. */
export function classifierOf(store: FailureClassifier): (error: unknown) => Failure {
  return (error) => store.classifyFailure(error);
}
