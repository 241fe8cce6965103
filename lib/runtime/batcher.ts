import { AsyncResource } from 'node:async_hooks';
import type { Failure } from './failure.js';
import type { Permit } from './permit.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import type { Clock } from './clock.js';

/**
 * Pause before an item that met a lock when it was sent alone is sent again, in milliseconds. Doubles up to the
 * maximum.
 */
const FIRST_DELAY_MS = 10;
const MAX_DELAY_MS = 500;
/** How long an item waits before the log mentions it, in milliseconds. */
const LATE_MS = 5_000;
/** Maximum number of items sent alone at the same time: each may wait for a lock, on a connection of its own. */
const MAX_ALONE = 3;
/** Minimum time between two checks whether waiting items should give up, in milliseconds. */
const GIVE_UP_LOOK_MS = 100;

export interface BatcherOptions<I, R> {
  readonly clock: Clock;
  /** Maximum number of items in one statement. */
  readonly maxItems: number;
  /**
   * Weight of an item, for example its number of rows. A batch weighs at most `maxWeight`, unless it is a single item.
   * Default: 1.
   */
  readonly weight?: (item: I) => number;
  readonly maxWeight?: number;
  /** Maximum number of statements under way, default 1. Each one beyond the first is sent only with a full batch. */
  readonly maxStatements?: number;
  /**
   * Waits for the connection that a batch will be sent on. A batch is formed only then, so it also has the items that
   * were added during the wait. Never rejects. Default: batches are formed at once.
   */
  readonly permit?: () => Promise<Permit>;
  /**
   * Sends a batch and returns one result for each item. `resent`: an earlier send may have written some of the items.
   */
  readonly send: (items: readonly I[], resent: boolean) => Promise<readonly R[]>;
  readonly classify: (error: unknown) => Failure;
  /**
   * Limits the retries of items that met a lock although they were sent alone: `atOnce` at the same time, and a pause
   * of `pauseMs` after each that meets a lock again. A pausing item holds no connection. Default: the limit of items
   * that are sent alone for the first time, and no pause.
   */
  readonly locked?: { readonly atOnce: number; readonly pauseMs: number };
  /**
   * Decides about an item while the database is unavailable or rows are locked: returns the error to reject it with, or
   * undefined to go on trying. `sent`: the item may have been written. `waitedMs`: time since the item was added.
   */
  readonly giveUp?: (
    item: I,
    error: unknown,
    state: { readonly sent: boolean; readonly waitedMs: number },
  ) => Error | undefined;
  /** Called once for each item that has no result after five seconds, with its latest error. */
  readonly late?: (items: readonly I[], error: unknown) => void;
  /** Called for each item that is resolved or rejected. */
  readonly ended?: (item: I) => void;
}

interface Entry<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  readonly addedAt: number;
  sent: boolean;
  /** How often the item was sent alone and met a lock. */
  failures: number;
  /** The latest error; undefined before the first. */
  lastError: unknown;
  isLate: boolean;
}

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
  private queue: Entry<I, R>[] = [];
  /** Items of batches that met a lock, still to be sent alone. */
  private stragglers: Entry<I, R>[] = [];
  /** Items that met a lock when they were sent alone, to be sent again. */
  private locked: Entry<I, R>[] = [];
  private underWay = 0;
  /** Number of those under way that wait for their connection, and have no items yet. */
  private unformed = 0;
  private planned = false;
  private alone = 0;
  private lockedAlone = 0;
  private gaveUpAt = 0;
  private readonly closing = new AbortController();
  private readonly scope = new AsyncResource('CloacinaBatcher');
  private idle: (() => void)[] = [];

  constructor(private readonly options: BatcherOptions<I, R>) {}

  /** Number of items without a result. */
  get size(): number {
    return this.pending;
  }

  private pending = 0;

  add(item: I): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      this.pending++;
      this.queue.push({
        item,
        resolve,
        reject,
        addedAt: this.options.clock.now(),
        sent: false,
        failures: 0,
        lastError: undefined,
        isLate: false,
      });
      this.plan();
    });
  }

  /** Resolves when nothing is under way. */
  async whenIdle(): Promise<void> {
    if (this.pending === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Ends the pauses between sends: an item that waits for its next try is rejected. */
  close(): void {
    this.closing.abort();
  }

  /** Sends in a microtask, so that items added in the same turn of the event loop share a batch. */
  private plan(): void {
    if (this.planned || !this.maySend) return;
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
    this.plan();
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
        const { kind, mayBeWritten, retryable } = this.options.classify(error);
        if (retryable) this.noteLate(batch, error);
        if (kind === 'connection') {
          for (const entry of batch) entry.sent ||= mayBeWritten;
          batch = await this.waitForDatabase(batch, error, attempt);
        } else if (retryable) {
          this.setAside(batch, error);
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
    this.end(batch);
    for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as R);
  }

  private noteLate(batch: readonly Entry<I, R>[], error: unknown): void {
    const now = this.options.clock.now();
    const late = batch.filter(({ isLate, addedAt }) => !isLate && now - addedAt > LATE_MS);
    if (late.length === 0) return;
    for (const entry of late) entry.isLate = true;
    this.options.late?.(
      late.map(({ item }) => item),
      error,
    );
  }

  /** Sends the items of a batch that met a lock one by one. An item that met a lock alone rests first. */
  private setAside(batch: readonly Entry<I, R>[], error: unknown): void {
    for (const entry of batch) entry.lastError = error;
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      void this.rest(first);
      return;
    }
    this.stragglers.push(...batch);
    this.sendAlone();
  }

  private async rest(entry: Entry<I, R>): Promise<void> {
    const pauseMs = Math.min(FIRST_DELAY_MS * 2 ** entry.failures++, MAX_DELAY_MS);
    if (this.endsWaiting(entry)) return;
    const closed = await this.pause(pauseMs);
    if (closed)
      this.rejectAll([entry], new Error('Closed while another session held the lock of a row.'));
    else if (!this.endsWaiting(entry)) this.locked.push(entry);
    this.sendAlone();
  }

  private sendAlone(): void {
    while (this.alone < MAX_ALONE) {
      const entry = this.nextAlone();
      if (entry === undefined) return;
      void this.straggle(entry);
    }
  }

  /** Items whose rows may be free come first; otherwise they would wait behind items whose rows are locked. */
  private nextAlone(): Entry<I, R> | undefined {
    const { atOnce = MAX_ALONE } = this.options.locked ?? {};
    return this.stragglers.shift() ?? (this.lockedAlone < atOnce ? this.locked.shift() : undefined);
  }

  private async straggle(entry: Entry<I, R>): Promise<void> {
    const { failures } = entry;
    this.alone++;
    if (failures > 0) this.lockedAlone++;
    await this.flush([entry]);
    const { pauseMs = 0 } = this.options.locked ?? {};
    if (failures > 0 && entry.failures > failures && pauseMs > 0) await this.pause(pauseMs);
    if (failures > 0) this.lockedAlone--;
    this.alone--;
    this.giveUpWaiting();
    this.sendAlone();
  }

  /** Gives up items that have waited too long while other items were sent. */
  private giveUpWaiting(): void {
    const now = this.options.clock.now();
    if (now - this.gaveUpAt < GIVE_UP_LOOK_MS) return;
    this.gaveUpAt = now;
    this.stragglers = this.stragglers.filter((entry) => !this.endsWaiting(entry));
    this.locked = this.locked.filter((entry) => !this.endsWaiting(entry));
  }

  /** Rejects the item if `giveUp` returns an error for it. Returns whether it was rejected. */
  private endsWaiting(entry: Entry<I, R>): boolean {
    const reason = this.reasonToGiveUp(entry, entry.lastError);
    if (reason !== undefined) this.rejectAll([entry], reason);
    return reason !== undefined;
  }

  private reasonToGiveUp({ item, sent, addedAt }: Entry<I, R>, error: unknown): Error | undefined {
    return this.options.giveUp?.(item, error, {
      sent,
      waitedMs: this.options.clock.now() - addedAt,
    });
  }

  private async waitForDatabase(
    batch: Entry<I, R>[],
    error: unknown,
    attempt: number,
  ): Promise<Entry<I, R>[]> {
    const closed = await this.pause(reconnectDelayMs(attempt, this.options.clock));
    const remaining: Entry<I, R>[] = [];
    for (const entry of batch) {
      const reason = closed ? asError(error) : this.reasonToGiveUp(entry, error);
      if (reason === undefined) remaining.push(entry);
      else this.rejectAll([entry], reason);
    }
    // Queued items may have waited too long as well.
    this.queue = this.queue.filter((entry) => {
      const reason = closed ? asError(error) : this.reasonToGiveUp(entry, error);
      if (reason !== undefined) this.rejectAll([entry], reason);
      return reason === undefined;
    });
    return remaining;
  }

  private async pause(ms: number): Promise<boolean> {
    await this.options.clock.sleep(ms, this.closing.signal);
    return this.closing.signal.aborted;
  }

  private rejectAll(batch: readonly Entry<I, R>[], error: unknown): void {
    this.end(batch);
    for (const entry of batch) entry.reject(error);
  }

  private end(batch: readonly Entry<I, R>[]): void {
    const { ended } = this.options;
    if (ended !== undefined) for (const { item } of batch) ended(item);
    this.pending -= batch.length;
    if (this.pending > 0) return;
    const idle = this.idle;
    this.idle = [];
    for (const resolve of idle) resolve();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
