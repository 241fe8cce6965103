import { boundLockWait, unboundLockWait } from './statements/lock-timeout.js';
import type { StatementRunner } from './statements/statement.js';

/**
 * Runs statements in a caller's transaction that may wait for an idempotency key of another transaction, at most for a time.
 * The lock_timeout of the caller wins, and applies again afterwards. Nothing is undone if a statement fails: that ends the
 * transaction.
 *
 * @param timeoutMs - undefined if there is no key to wait for
 */
export async function withLockTimeout<T>(
  runner: StatementRunner,
  timeoutMs: number | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return work();
  // 0 would be no limit.
  const isBounded = (await runner.run(boundLockWait, [Math.max(1, timeoutMs)])).length === 1;
  const result = await work();
  if (isBounded) await runner.run(unboundLockWait, []);
  return result;
}
