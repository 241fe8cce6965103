import { AsyncResource } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Failure } from '../store/store.js';

/** Waits between sends while the database is away, in milliseconds: at once, then calmer. */
const RECONNECT_DELAYS_MS = [20, 50, 100, 250, 500, 1_000] as const;
/** Pause before an item that failed by itself is sent again, in milliseconds; doubled up to the maximum. */
const FIRST_DELAY_MS = 10;
const MAX_DELAY_MS = 1_000;
/** An item that has waited for so long since it was added is worth a word in the log, in milliseconds. */
const LATE_MS = 5_000;
/** Items that are sent alone at a time: each may wait for a lock, on a connection of its own. */
const MAX_ALONE = 3;

export interface BatcherOptions<I, R> {
  /** At most so many items to one statement. */
  readonly maxItems: number;
  /** What an item adds to a batch, in rows or the like; together at most `maxWeight`, or one item. Default: 1. */
  readonly weight?: (item: I) => number;
  readonly maxWeight?: number;
  /** Statements under way at a time, default 1. What waits is sent beside the first one only when it fills a batch. */
  readonly maxStatements?: number;
  /** `resent`: some of these may have been written by a send whose reply was lost. Returns one result an item. */
  readonly send: (items: readonly I[], resent: boolean) => Promise<readonly R[]>;
  readonly classify: (error: unknown) => Failure;
  /**
   * Asked for each item while the database is away: the error to end it with, or undefined to go on trying.
   * `sent` tells that the item may have been written.
   */
  readonly giveUp?: (item: I, error: unknown, sent: boolean) => Error | undefined;
  /** Items that still have no result after five seconds, and what they failed with last; each is told of once. */
  readonly late?: (items: readonly I[], error: unknown) => void;
}

interface Entry<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  readonly addedAt: number;
  sent: boolean;
  /** How often it was sent alone and failed. */
  failures: number;
  isLate: boolean;
}

/**
 * Natural batching: while one statement is under way the next items gather, and go as one. No timer and no delay
 * when idle, hundreds to a commit under load. A batch that is full gains nothing by waiting, and may go beside the one
 * under way: the server works on it while this process sees to the other's results.
 *
 * What fails is sorted by what the failure says: a batch with an item that can't be stored is halved until that item
 * stands alone; a batch that met a locked row goes on aside, one by one, so that none but that item waits for it; and
 * what may have been written is sent again, since every statement here is fenced or idempotent.
 */
export class Batcher<I, R> {
  private queue: Entry<I, R>[] = [];
  private stragglers: Entry<I, R>[] = [];
  private underWay = 0;
  private planned = false;
  private alone = 0;
  private readonly closing = new AbortController();
  private readonly scope = new AsyncResource('CloacinaBatcher');
  private idle: (() => void)[] = [];

  constructor(private readonly options: BatcherOptions<I, R>) {}

  /** Items that have no result yet. */
  get size(): number {
    return this.pending;
  }

  private pending = 0;

  add(item: I): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      this.pending++;
      const addedAt = performance.now();
      this.queue.push({ item, resolve, reject, addedAt, sent: false, failures: 0, isLate: false });
      this.plan();
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    if (this.pending === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Ends the waits between sends: what can't be sent now is rejected with the error that it met. */
  close(): void {
    this.closing.abort();
  }

  /** What is added in the same turn of the event loop goes together. */
  private plan(): void {
    if (this.planned || !this.maySend) return;
    this.planned = true;
    // The sends serve many callers, and are in the async context of none.
    this.scope.runInAsyncScope(queueMicrotask, undefined, () => {
      this.planned = false;
      while (this.maySend) void this.sendNext();
    });
  }

  private get maySend(): boolean {
    if (this.underWay === 0) return this.queue.length > 0;
    const { maxItems, maxStatements = 1 } = this.options;
    return this.underWay < maxStatements && this.queue.length >= maxItems;
  }

  private async sendNext(): Promise<void> {
    this.underWay++;
    await this.flush(this.take());
    this.underWay--;
    this.plan();
  }

  private take(): Entry<I, R>[] {
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

  private async flush(batch: Entry<I, R>[]): Promise<void> {
    for (let attempt = 0; batch.length > 0; attempt++) {
      try {
        await this.sendOnce(batch);
        return;
      } catch (error) {
        const { kind, mayBeWritten } = this.options.classify(error);
        if (kind === 'connection' || kind === 'conflict' || kind === 'passing') {
          this.noteLate(batch, error);
        }
        if (kind === 'connection') {
          for (const entry of batch) entry.sent ||= mayBeWritten;
          batch = await this.waitForDatabase(batch, error, attempt);
        } else if (kind === 'conflict' || kind === 'passing') {
          this.setAside(batch);
          return;
        } else if (batch.length > 1) {
          const middle = batch.length >> 1;
          await this.flush(batch.slice(0, middle));
          await this.flush(batch.slice(middle));
          return;
        } else {
          this.rejectAll(batch, error);
          return;
        }
      }
    }
  }

  private async sendOnce(batch: readonly Entry<I, R>[]): Promise<void> {
    const results = await this.options.send(
      batch.map((entry) => entry.item),
      batch.some((entry) => entry.sent),
    );
    this.end(batch.length);
    for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as R);
  }

  private noteLate(batch: readonly Entry<I, R>[], error: unknown): void {
    const now = performance.now();
    const late = batch.filter(({ isLate, addedAt }) => !isLate && now - addedAt > LATE_MS);
    if (late.length === 0) return;
    for (const entry of late) entry.isLate = true;
    this.options.late?.(
      late.map(({ item }) => item),
      error,
    );
  }

  /** What met a lock is sent one by one beside the batches. */
  private setAside(batch: readonly Entry<I, R>[]): void {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) first.failures++;
    this.stragglers.push(...batch);
    for (let i = 0; i < batch.length && this.alone < MAX_ALONE; i++) void this.straggle();
  }

  private async straggle(): Promise<void> {
    this.alone++;
    for (
      let entry = this.stragglers.shift();
      entry !== undefined;
      entry = this.stragglers.shift()
    ) {
      const closed = entry.failures > 0 && (await this.pause(delayAfter(entry.failures)));
      if (closed) this.rejectAll([entry], new Error('Closed while a row was locked.'));
      else await this.flush([entry]);
    }
    this.alone--;
  }

  private async waitForDatabase(
    batch: Entry<I, R>[],
    error: unknown,
    attempt: number,
  ): Promise<Entry<I, R>[]> {
    const closed = await this.pause(
      RECONNECT_DELAYS_MS[Math.min(attempt, RECONNECT_DELAYS_MS.length - 1)] ?? 1_000,
    );
    const remaining: Entry<I, R>[] = [];
    for (const entry of batch) {
      const reason = closed ? asError(error) : this.options.giveUp?.(entry.item, error, entry.sent);
      if (reason === undefined) remaining.push(entry);
      else this.rejectAll([entry], reason);
    }
    // Those that wait behind grow old as well.
    this.queue = this.queue.filter((entry) => {
      const reason = closed ? asError(error) : this.options.giveUp?.(entry.item, error, entry.sent);
      if (reason !== undefined) this.rejectAll([entry], reason);
      return reason === undefined;
    });
    return remaining;
  }

  private async pause(ms: number): Promise<boolean> {
    await delay(ms, undefined, { signal: this.closing.signal }).catch(() => undefined);
    return this.closing.signal.aborted;
  }

  private rejectAll(batch: readonly Entry<I, R>[], error: unknown): void {
    this.end(batch.length);
    for (const entry of batch) entry.reject(error);
  }

  private end(count: number): void {
    this.pending -= count;
    if (this.pending > 0) return;
    const idle = this.idle;
    this.idle = [];
    for (const resolve of idle) resolve();
  }
}

function delayAfter(failures: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
