import type { BatcherOptions } from './batcher-options.js';

/** How long an item waits before the log mentions it, in milliseconds. */
const LATE_MS = 5_000;

/** An item without a result. */
export interface BatchItem<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  readonly addedAt: number;
  /** Whether it may have been written. */
  sent: boolean;
  /** How often it was sent alone and met a lock. */
  failures: number;
  /** The latest error; undefined before the first. */
  lastError: unknown;
  isLate: boolean;
}

/** Counts the items of a batcher that have no result, and ends them. */
export class BatchItems<I, R> {
  /** Number of items without a result. */
  size = 0;
  private idle: (() => void)[] = [];

  constructor(
    private readonly options: Pick<BatcherOptions<I, R>, 'clock' | 'giveUp' | 'late' | 'ended'>,
  ) {}

  create(item: I, resolve: (result: R) => void, reject: (error: unknown) => void): BatchItem<I, R> {
    this.size++;
    return {
      item,
      resolve,
      reject,
      addedAt: this.options.clock.now(),
      sent: false,
      failures: 0,
      lastError: undefined,
      isLate: false,
    };
  }

  resolveAll(batch: readonly BatchItem<I, R>[], results: readonly R[]): void {
    this.end(batch);
    for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as R);
  }

  rejectAll(batch: readonly BatchItem<I, R>[], error: unknown): void {
    this.end(batch);
    for (const { reject } of batch) reject(error);
  }

  /** Rejects the item if `giveUp` returns an error for it. Returns whether it was rejected. */
  giveUp(item: BatchItem<I, R>, error: unknown): boolean {
    const { clock, giveUp } = this.options;
    const waitedMs = clock.now() - item.addedAt;
    const reason = giveUp?.(item.item, error, { sent: item.sent, waitedMs });
    if (reason !== undefined) this.rejectAll([item], reason);
    return reason !== undefined;
  }

  /** Reports the items that have waited for long, each once. */
  noteLate(batch: readonly BatchItem<I, R>[], error: unknown): void {
    const { clock, late } = this.options;
    const now = clock.now();
    const delayed = batch.filter(({ isLate, addedAt }) => !isLate && now - addedAt > LATE_MS);
    if (delayed.length === 0) return;
    for (const entry of delayed) entry.isLate = true;
    late?.(
      delayed.map(({ item }) => item),
      error,
    );
  }

  /** Resolves when all items have a result. */
  async whenIdle(): Promise<void> {
    if (this.size === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private end(batch: readonly BatchItem<I, R>[]): void {
    const { ended } = this.options;
    if (ended !== undefined) for (const { item } of batch) ended(item);
    this.size -= batch.length;
    if (this.size > 0) return;
    const { idle } = this;
    this.idle = [];
    for (const resolve of idle) resolve();
  }
}
