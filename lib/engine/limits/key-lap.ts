import type { LimitStore } from '../../store/port/index.js';

/**
 * Goes through the keys with due tasks in their order, and from the last one to the first. Each lap begins behind the last
 * key of the one before, so that with little room each key gets its turn.
 */
export class KeyLap {
  /** The key behind which the next read begins. */
  private cursor: string | null = null;
  /** The key at which the lap ends; null for the last key. Undefined while there is no lap. */
  private end: string | null | undefined;
  /** Whether the lap has reached the last key. */
  private isPastLast = false;
  /** Whether keys of the lap have been read. */
  private hasBegun = false;
  private again = false;
  private laps = 0;
  /** The key behind which the next lap begins, if one was asked for during this lap. */
  private behind: string | undefined;

  constructor(private readonly store: Pick<LimitStore, 'dueKeys'>) {}

  get isUnderWay(): boolean {
    return this.end !== undefined;
  }

  /** The number of the lap under way, or of the last one. */
  get number(): number {
    return this.laps;
  }

  /** The key behind which the next read begins; null for the first key. */
  get position(): string | null {
    return this.cursor;
  }

  /**
   * Begins a lap, after the one under way if there is one.
   *
   * @param behind - the lap begins behind this key. Default: where the last one has ended
   */
  begin(behind?: string): void {
    if (this.end === undefined) {
      this.cursor = behind ?? this.cursor;
      this.restart();
    } else if (this.hasBegun) {
      this.again = true;
      this.behind = behind ?? this.behind;
    }
  }

  /** Ends the lap, and drops the one after it. */
  stop(): void {
    this.end = undefined;
  }

  /** The next keys of the lap. Empty at its end, and between the last key and the first. */
  async next(definitions: readonly string[], count: number): Promise<string[]> {
    const { end } = this;
    if (end === undefined) return [];
    this.hasBegun = true;
    const found = await this.store.dueKeys(definitions, this.cursor, count);
    const isOver = this.isPastLast && end !== null;
    const keys = isOver ? found.filter((key) => key <= end) : found;
    if (keys.length === count) this.cursor = keys.at(-1) ?? null;
    else if (this.isPastLast || end === null) this.finish(keys);
    else {
      this.isPastLast = true;
      this.cursor = null;
    }
    return keys;
  }

  /** The next keys of the lap, also from behind the last key on: few keys in a statement would get more than the others. */
  async take(definitions: readonly string[], count: number): Promise<string[]> {
    const keys = await this.next(definitions, count);
    const left = count - keys.length;
    return left === 0 ? keys : [...keys, ...(await this.next(definitions, left))];
  }

  /** Call when there was no room for the keys behind this one: the next read begins behind it. */
  stoppedAt(key: string): void {
    this.cursor = key;
    this.restart();
  }

  private restart(): void {
    this.laps++;
    this.end = this.cursor;
    this.isPastLast = false;
    this.hasBegun = false;
    this.again = false;
    this.behind = undefined;
  }

  private finish(keys: readonly string[]): void {
    this.cursor = this.behind ?? keys.at(-1) ?? null;
    if (this.again) this.restart();
    else this.end = undefined;
  }
}
