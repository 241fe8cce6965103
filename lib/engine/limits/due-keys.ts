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
  /** All of them, in their order, as the latest read has found them. Undefined if the next claim reads them. */
  private all: readonly string[] | undefined;
  private readAt = 0;
  /** Number of claims that have used those of the claim before. */
  private reuses = 0;
  /** Whether the next claim may use those of the latest one. */
  private isKept = false;
  /** Whether the latest claim has used those of the one before. */
  private isReused = false;
  /** Number of calls of {@link forget}: what a read under way finds is not kept. */
  private forgotten = 0;
  /** Number of reads that are of a part, because there were too many keys. */
  private parts = 0;

  constructor(
    private readonly store: Pick<LimitStore, 'dueKeys'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Call before the reads of a claim. */
  beginClaim(): void {
    const now = this.clock.now();
    const isRecent = this.reuses < MAX_REUSES && now - this.readAt < REUSED_FOR_MS;
    this.isReused = this.isKept && this.all !== undefined && isRecent;
    this.isKept = false;
    if (this.isReused) {
      this.reuses++;
      return;
    }
    this.all = undefined;
    this.reuses = 0;
    this.readAt = now;
  }

  /** Call when the claim has used them, and left due tasks for the next one. */
  keep(): void {
    this.isKept = true;
  }

  /**
   * Call when the next claim must see what is due then.
   *
   * @returns whether the latest claim may have missed keys
   */
  forget(): boolean {
    const { isReused } = this;
    this.isReused = false;
    this.all = undefined;
    this.forgotten++;
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
    const { forgotten } = this;
    const found = await this.store.dueKeys(definitions, null, MAX_REMEMBERED + 1);
    if (found.length > MAX_REMEMBERED) {
      this.parts = PARTS;
      return undefined;
    }
    if (forgotten === this.forgotten) this.all = found;
    return found;
  }
}
