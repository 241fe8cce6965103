import { AsyncResource } from 'node:async_hooks';
import { BatchItems, type BatchItem } from './batch-items.js';
import type { BatcherOptions } from './batcher-options.js';
import { LoneSends } from './lone-sends.js';
import type { Permit } from './permit.js';
import { reconnectDelayMs } from './reconnect-delay.js';

/**
 * Natural batching: items collect while a statement is under way, and the next statement takes them all. An idle
 * batcher adds no delay, and a busy one puts hundreds of items into a commit. A full batch gains nothing by waiting, so
 * it may be sent beside the one under way: the server works on it while this process handles the results of the other.
 * A statement that waits for a connection collects items too: with a hundred busy tenants on four connections, this wait
 * is longer than the statement itself.
 *
 * The failure of a batch decides what follows:
 *
 * - Another try would fail too (an item can't be stored, a right is missing, a bug): the batch is halved until the
 *   failing items are alone, and only those are rejected.
 * - A row was locked: the items are sent one by one beside the batches, so that only the item of that row waits.
 * - The connection failed: the whole batch is sent again. That is safe, because every statement is fenced or
 *   idempotent.
 */
export class Batcher<I, R> {
  private queue: BatchItem<I, R>[] = [];
  private readonly items: BatchItems<I, R>;
  /** Created when a first batch meets a lock. */
  private lone: LoneSends<I, R> | undefined;
  private underWay = 0;
  /** Number of those under way that wait for their connection, and have no items yet. */
  private unformed = 0;
  private planned = false;
  /** Whether the callers that the last batch has resumed may still come in this turn. */
  private isGathering = false;
  private readonly closing = new AbortController();
  private readonly scope = new AsyncResource('CloacinaBatcher');

  constructor(private readonly options: BatcherOptions<I, R>) {
    this.items = new BatchItems(options);
  }

  /** Number of items without a result. */
  get size(): number {
    return this.items.size;
  }

  add(item: I): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      this.queue.push(this.items.create(item, resolve, reject));
      this.plan();
    });
  }

  /** Resolves when nothing is under way. */
  whenIdle(): Promise<void> {
    return this.items.whenIdle();
  }

  /** Ends the pauses between sends: an item that waits for its next try is rejected. */
  close(): void {
    this.closing.abort();
  }

  /** Sends in a microtask, so that items added in the same turn of the event loop share a batch. */
  private plan(): void {
    if (this.planned || this.isGathering || !this.maySend) return;
    this.planned = true;
    // A batch serves many callers, so it must not run in the async context of one of them.
    this.scope.runInAsyncScope(queueMicrotask, undefined, () => {
      this.planned = false;
      while (this.maySend) void this.sendNext();
    });
  }

  private get maySend(): boolean {
    if (this.underWay === 0) return this.queue.length > 0;
    const { maxItems, maxStatements = 1 } = this.options;
    const spoken = this.unformed * maxItems;
    return this.underWay < maxStatements && this.queue.length - spoken >= maxItems;
  }

  private async sendNext(): Promise<void> {
    this.underWay++;
    if (this.options.permit === undefined) await this.flush(this.take());
    else await this.sendWithPermit(this.options.permit);
    this.underWay--;
    if (this.options.awaitsResumed === true) this.gather();
    else this.plan();
  }

  private gather(): void {
    if (this.isGathering) return;
    this.isGathering = true;
    this.options.clock.immediate(() => {
      this.isGathering = false;
      this.plan();
    });
  }

  private async sendWithPermit(waitForPermit: () => Promise<Permit>): Promise<void> {
    this.unformed++;
    const permit = await waitForPermit();
    this.unformed--;
    try {
      // The batch is empty if all items were given up during the wait.
      await this.flush(this.take());
    } finally {
      permit.release();
    }
  }

  private take(): BatchItem<I, R>[] {
    const { maxItems, weight, maxWeight = Infinity } = this.options;
    let count = 0;
    let total = 0;
    for (const { item } of this.queue) {
      total += weight?.(item) ?? 1;
      if (count > 0 && (count >= maxItems || total > maxWeight)) break;
      count++;
    }
    if (count === this.queue.length) {
      const all = this.queue;
      this.queue = [];
      return all;
    }
    return this.queue.splice(0, count);
  }

  private async flush(batch: BatchItem<I, R>[]): Promise<void> {
    for (let attempt = 0; batch.length > 0; attempt++) {
      try {
        await this.sendOnce(batch);
        return;
      } catch (error) {
        const { kind, mayBeWritten, retryable } = this.options.classify(error);
        if (retryable) this.items.noteLate(batch, error);
        if (kind === 'connection') {
          for (const entry of batch) entry.sent ||= mayBeWritten;
          batch = await this.waitForDatabase(batch, error, attempt);
        } else if (retryable) {
          this.lone ??= this.createLoneSends();
          this.lone.setAside(batch, error);
          return;
        } else if (batch.length > 1) {
          const middle = batch.length >> 1;
          await this.flush(batch.slice(0, middle));
          await this.flush(batch.slice(middle));
          return;
        } else {
          this.items.rejectAll(batch, error);
          return;
        }
      }
    }
  }

  private async sendOnce(batch: readonly BatchItem<I, R>[]): Promise<void> {
    const results = await this.options.send(
      batch.map((entry) => entry.item),
      batch.some((entry) => entry.sent),
    );
    this.items.resolveAll(batch, results);
  }

  private createLoneSends(): LoneSends<I, R> {
    return new LoneSends(
      this.options,
      this.items,
      (batch) => this.flush(batch),
      (ms) => this.pause(ms),
    );
  }

  /** Returns the items of the batch that are to be sent again. */
  private async waitForDatabase(
    batch: readonly BatchItem<I, R>[],
    error: unknown,
    attempt: number,
  ): Promise<BatchItem<I, R>[]> {
    const closed = await this.pause(reconnectDelayMs(attempt, this.options.clock));
    const continues = (entry: BatchItem<I, R>): boolean => {
      if (!closed) return !this.items.giveUp(entry, error);
      this.items.rejectAll([entry], asError(error));
      return false;
    };
    const remaining = batch.filter(continues);
    // Queued items may have waited too long as well.
    this.queue = this.queue.filter(continues);
    return remaining;
  }

  /** Returns whether the batcher is closed. */
  private async pause(ms: number): Promise<boolean> {
    await this.options.clock.sleep(ms, this.closing.signal);
    return this.closing.signal.aborted;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
