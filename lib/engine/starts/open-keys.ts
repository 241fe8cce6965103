import type { UserTransaction } from '../../store/port/index.js';

/** Keys to remember before those are looked for whose transactions are over. */
const FIRST_LOOK_AT = 1_000;

/**
 * Idempotency keys that were started with a manager in this process, for as long as the transaction is open: what else
 * starts with the key waits for it, and the caller that waits may be the one who has it open.
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

  /** Whether a transaction of this process holds it. */
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
