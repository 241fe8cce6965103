import type { Clock } from '../../runtime/clock.js';
import type { LimitStore } from '../../store/port/index.js';

/** Maximum number of keys that are remembered: more than that are read a part at a time. */
const MAX_REMEMBERED = 64;
/** Number of reads of a part after which all keys are read again. */
const PARTS = 16;
/** Number of laps after the first that may use the keys which that one has read, and how long they are used, in milliseconds. */
const MAX_REUSES = 3;
const REUSED_FOR_MS = 100;
/** Maximum time from the end of a claim to the next one that is sent at once, in milliseconds: not when a handler has ended. */
const AT_ONCE_MS = 25;

/** What a read during a claim has found, for the next one. */
interface KeysAhead {
  readonly keys: readonly string[];
  /** When the read began. */
  readonly at: number;
}

/**
 * The keys with due tasks, read all at once where they are few: one statement answers all claims of a lap, which reads to the last
 * key and on from the first one. Laps that follow at once, while there is more work than room, use what that statement has found.
 * When one of them may not use it any more, the next read takes place during the claim before it, so that it waits for no read.
 */
export class DueKeys implements Pick<LimitStore, 'dueKeys'> {
  /** All of them, in their order, as the latest read has found them. Undefined if the next claim reads them. */
  private all: readonly string[] | undefined;
  private readAt = 0;
  /** The lap of the latest claim. */
  private lap = -1;
  /** Number of laps that have used those of an earlier one. */
  private reuses = 0;
  /** Whether the next lap may use those of the latest one. */
  private isKept = false;
  /** Whether the latest claim has used those of an earlier lap. */
  private isReused = false;
  /** Number of calls of {@link forget}: what a read under way finds is not kept. */
  private forgotten = 0;
  /** Number of reads that are of a part, because there were too many keys. */
  private parts = 0;
  /** Those that were read during the latest claim. */
  private ahead: KeysAhead | undefined;
  /** When the latest claim began, and when it ended that left due tasks. */
  private begunAt = -Infinity;
  private keptAt = -Infinity;
  /** Time from the begin of a claim to that of the next one, which was sent at once. Undefined unless the latest one was. */
  private cycleMs: number | undefined;

  constructor(
    private readonly store: Pick<LimitStore, 'dueKeys'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /**
   * Call before the reads of a claim.
   *
   * @param lap - the number of the lap
   */
  beginClaim(lap: number): void {
    const now = this.clock.now();
    const isSameLap = lap === this.lap;
    const isAtOnce = this.isKept && !isSameLap && now - this.keptAt < AT_ONCE_MS;
    const ahead = isAtOnce ? this.ahead : undefined;
    const mayUse = isSameLap || (this.isKept && this.reuses < MAX_REUSES);
    this.lap = lap;
    this.isKept = false;
    this.ahead = undefined;
    this.cycleMs = isAtOnce ? now - this.begunAt : undefined;
    this.begunAt = now;
    if (ahead !== undefined) {
      this.all = ahead.keys;
      this.readAt = ahead.at;
      this.isReused = true;
      this.reuses = 0;
      return;
    }
    if (mayUse && this.all !== undefined && now - this.readAt < REUSED_FOR_MS) {
      if (isSameLap) return;
      this.isReused = true;
      this.reuses++;
      return;
    }
    this.all = undefined;
    this.isReused = false;
    this.reuses = 0;
    this.readAt = now;
  }

  /**
   * Call while a claim is under way. Where claims follow each other at once, it reads the keys for the next one, unless that
   * one may probably use those of this one. They are used only if this claim leaves due tasks and the next one is sent at once. So
   * they are hardly older than this claim. Never rejects: after a failure the next claim reads them.
   */
  async readAhead(definitions: readonly string[]): Promise<void> {
    const at = this.clock.now();
    if (this.all === undefined || this.cycleMs === undefined) return;
    const isOld = at + this.cycleMs - this.readAt >= REUSED_FOR_MS;
    if (this.reuses < MAX_REUSES && !isOld) return;
    const { forgotten } = this;
    try {
      const keys = await this.readFew(definitions);
      if (keys !== undefined && forgotten === this.forgotten) this.ahead = { keys, at };
    } catch {
      // The next claim reads them, and reports what it meets.
    }
  }

  /** Call when the claim has used them, and left due tasks for the next one. */
  keep(): void {
    this.isKept = true;
    this.keptAt = this.clock.now();
  }

  /**
   * Call when a claim has left room. The keys were read in its lap, and the rest of the lap may use them, or else they may lack some
   * that have become due since. Then the next claim reads them again.
   *
   * @returns whether the claim may have missed keys
   */
  leftRoom(): boolean {
    if (!this.isReused) return false;
    this.forget();
    return true;
  }

  /** Call when the next claim must see what is due then. */
  forget(): void {
    this.isReused = false;
    this.all = undefined;
    this.ahead = undefined;
    this.forgotten++;
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
    // Claims that follow each other at once leave many due tasks.
    const found = await this.readFew(definitions, this.cycleMs === undefined);
    if (forgotten === this.forgotten) this.all = found;
    return found;
  }

  /** All keys. Undefined if there are too many. */
  private async readFew(
    definitions: readonly string[],
    areFewDue = false,
  ): Promise<readonly string[] | undefined> {
    const found = await this.store.dueKeys(definitions, null, MAX_REMEMBERED + 1, areFewDue);
    if (found.length <= MAX_REMEMBERED) return found;
    this.parts = PARTS;
    return undefined;
  }
}
