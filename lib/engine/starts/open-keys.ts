import type { UserTransaction } from '../../store/port/index.js';

/** Number of keys at which keys of ended transactions are removed for the first time. */
const FIRST_LOOK_AT = 1_000;

/**
 * The idempotency keys that open transactions of this process hold, because `start()` was called with their manager.
 * Other starts with such a key wait for the transaction. The waiting caller may itself have it open, so the error that
 * it gets names this case.
 */
export class OpenKeys {
  private readonly holders = new Map<string, Set<UserTransaction>>();
  private lookAt = FIRST_LOOK_AT;

  add(key: string, transaction: UserTransaction): void {
    if (this.holders.size >= this.lookAt) this.forgetEnded();
    const holders = this.holders.get(key);
    if (holders === undefined) this.holders.set(key, new Set([transaction]));
    else holders.add(transaction);
  }

  /** Whether an open transaction of this process holds the key. */
  isHeld(key: string): boolean {
    const holders = this.holders.get(key);
    if (holders === undefined) return false;
    for (const holder of holders) if (!isOpen(holder)) holders.delete(holder);
    if (holders.size === 0) this.holders.delete(key);
    return holders.size > 0;
  }

  private forgetEnded(): void {
    for (const key of this.holders.keys()) this.isHeld(key);
    this.lookAt = Math.max(FIRST_LOOK_AT, 2 * this.holders.size);
  }
}

export function isOpen({ queryRunner }: UserTransaction): boolean {
  return queryRunner?.isReleased === false && queryRunner.isTransactionActive;
}
