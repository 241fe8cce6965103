interface Entry<T> {
  readonly at: number;
  readonly item: T;
}

/** Items with a time, of which the earliest is taken first: a binary heap, so each step costs the logarithm of their number. */
export class TimeHeap<T> {
  /** Each entry is no later than the two at twice its place plus one and plus two. */
  private readonly entries: Entry<T>[] = [];

  /** The time of the earliest item; infinite without items. */
  get nextAt(): number {
    return this.entries[0]?.at ?? Infinity;
  }

  add(item: T, at: number): void {
    const { entries } = this;
    let place = entries.length;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const entry = entries[above];
      if (entry === undefined || entry.at <= at) break;
      entries[place] = entry;
      place = above;
    }
    entries[place] = { at, item };
  }

  /** Removes the earliest item, and returns it. */
  take(): Entry<T> | undefined {
    const { entries } = this;
    const [first] = entries;
    const last = entries.pop();
    if (last !== undefined && entries.length > 0) this.sink(last);
    return first;
  }

  clear(): void {
    this.entries.length = 0;
  }

  /** Puts an entry in the place of the first one, and then where it belongs. */
  private sink(entry: Entry<T>): void {
    const { entries } = this;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const right = entries[left + 1];
      const below =
        right !== undefined && right.at < (entries[left]?.at ?? Infinity) ? left + 1 : left;
      const next = entries[below];
      if (next === undefined || next.at >= entry.at) break;
      entries[place] = next;
      place = below;
    }
    entries[place] = entry;
  }
}
