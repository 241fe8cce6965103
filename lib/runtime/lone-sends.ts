import type { BatcherOptions } from './batcher-options.js';
import type { BatchItem, BatchItems } from './batch-items.js';

/**
 * Pause before an item that met a lock when it was sent alone is sent again, in milliseconds. Doubles up to the
 * maximum.
 */
const FIRST_DELAY_MS = 10;
const MAX_DELAY_MS = 500;
/** Maximum number of items sent alone at the same time: each may wait for a lock, on a connection of its own. */
const MAX_ALONE = 3;
/** Minimum time between two checks whether waiting items should give up, in milliseconds. */
const GIVE_UP_LOOK_MS = 100;

/**
 * Sends the items of batches that met a lock one by one beside the batches, so that only the item of the locked row waits.
 *
 * States of an item: waiting, sent alone, and after it met a lock alone: resting, then waiting behind the items whose rows
 * may be free.
 */
export class LoneSends<I, R> {
  /** Items of batches that met a lock, still to be sent alone. */
  private waiting: BatchItem<I, R>[] = [];
  /** Items that met a lock when they were sent alone, to be sent again. */
  private locked: BatchItem<I, R>[] = [];
  private underWay = 0;
  private lockedUnderWay = 0;
  private gaveUpAt = 0;

  /**
   * @param send - sends a batch until its items have results, or are set aside here again
   * @param pause - resolves after the time, or when the batcher is closed, and returns whether it is closed
   */
  constructor(
    private readonly options: Pick<BatcherOptions<I, R>, 'clock' | 'locked'>,
    private readonly items: BatchItems<I, R>,
    private readonly send: (batch: BatchItem<I, R>[]) => Promise<void>,
    private readonly pause: (ms: number) => Promise<boolean>,
  ) {}

  /** Takes the items of a batch that met a lock. An item that met a lock alone rests first. */
  setAside(batch: readonly BatchItem<I, R>[], error: unknown): void {
    for (const entry of batch) entry.lastError = error;
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      void this.rest(first);
      return;
    }
    this.waiting.push(...batch);
    this.sendNext();
  }

  private async rest(entry: BatchItem<I, R>): Promise<void> {
    const pauseMs = Math.min(FIRST_DELAY_MS * 2 ** entry.failures++, MAX_DELAY_MS);
    if (this.givesUp(entry)) return;
    if (await this.pause(pauseMs)) {
      const closed = new Error('Closed while another session held the lock of a row.');
      this.items.rejectAll([entry], closed);
    } else if (!this.givesUp(entry)) {
      this.locked.push(entry);
    }
    this.sendNext();
  }

  private sendNext(): void {
    while (this.underWay < MAX_ALONE) {
      const entry = this.next();
      if (entry === undefined) return;
      void this.sendAlone(entry);
    }
  }

  /** Items whose rows may be free come first; otherwise they would wait behind items whose rows are locked. */
  private next(): BatchItem<I, R> | undefined {
    const { atOnce = MAX_ALONE } = this.options.locked ?? {};
    return this.waiting.shift() ?? (this.lockedUnderWay < atOnce ? this.locked.shift() : undefined);
  }

  private async sendAlone(entry: BatchItem<I, R>): Promise<void> {
    const { failures } = entry;
    this.underWay++;
    if (failures > 0) this.lockedUnderWay++;
    await this.send([entry]);
    const { pauseMs = 0 } = this.options.locked ?? {};
    if (failures > 0 && entry.failures > failures && pauseMs > 0) await this.pause(pauseMs);
    if (failures > 0) this.lockedUnderWay--;
    this.underWay--;
    this.giveUpWaiting();
    this.sendNext();
  }

  /** Gives up items that have waited too long while other items were sent. */
  private giveUpWaiting(): void {
    const now = this.options.clock.now();
    if (now - this.gaveUpAt < GIVE_UP_LOOK_MS) return;
    this.gaveUpAt = now;
    this.waiting = this.waiting.filter((entry) => !this.givesUp(entry));
    this.locked = this.locked.filter((entry) => !this.givesUp(entry));
  }

  private givesUp(entry: BatchItem<I, R>): boolean {
    return this.items.giveUp(entry, entry.lastError);
  }
}
