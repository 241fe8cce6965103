import type { Clock } from '../../runtime/clock.js';
import type { LimitStore } from '../../store/port/index.js';

/** Maximum number of keys that are remembered: more than that are read a part at a time. */
const MAX_REMEMBERED = 64;
/** Number of reads of a part after which all keys are read again. */
const PARTS = 16;
/** Number of claims after the first that may use the keys which that one has read, and for how long, in milliseconds. */
const MAX_REUSES = 3;
const REUSED_FOR_MS = 100;

/**
 * The keys with due tasks, read all at once where they are few: one statement answers a lap that reads to the last key and on
 * from the first one. Claims that follow at once, while there is more work than room, use what that statement has found.
 */
export class DueKeys implements Pick<LimitStore, 'dueKeys'> {
  /** All of them, in their order, as the latest read has found them. */
  private all: readonly string[] | undefined;
  private readAt = 0;
  /** Number of the next claims that may use them. */
  private reuses = 0;
  /** Whether the latest claim uses those of a claim before. */
  private isReused = false;
  /** Number of reads that are of a part, because there were too many keys. */
  private parts = 0;

  constructor(
    private readonly store: Pick<LimitStore, 'dueKeys'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Call before the reads of a claim. */
  beginClaim(): void {
    const now = this.clock.now();
    this.isReused = this.all !== undefined && this.reuses > 0 && now - this.readAt < REUSED_FOR_MS;
    if (this.isReused) {
      this.reuses--;
      return;
    }
    this.all = undefined;
    this.reuses = MAX_REUSES;
    this.readAt = now;
  }

  /**
   * Call when the next claim must see what is due then.
   *
   * @returns whether the latest claim may have missed keys
   */
  forget(): boolean {
    const { isReused } = this;
    this.isReused = false;
    this.reuses = 0;
    return isReused;
  }

  async dueKeys(
    definitions: readonly string[],
    after: string | null,
    count: number,
  ): Promise<string[]> {
    if (this.all === undefined && this.parts > 0) {
      this.parts--;
      return this.store.dueKeys(definitions, after, count);
    }
    const all = this.all ?? (await this.readAll(definitions));
    if (all === undefined) return this.store.dueKeys(definitions, after, count);
    return all.filter((key) => after === null || key > after).slice(0, count);
  }

  /** Undefined if there are too many. */
  private async readAll(definitions: readonly string[]): Promise<readonly string[] | undefined> {
    const found = await this.store.dueKeys(definitions, null, MAX_REMEMBERED + 1);
    if (found.length <= MAX_REMEMBERED) return (this.all = found);
    this.parts = PARTS;
    return undefined;
  }
}
