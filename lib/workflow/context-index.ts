/** The value of a key in a context, and the tasks that wrote it. */
export interface ContextEntry {
  /** The JSON text of the value; `undefined` if the key was deleted. A deletion is treated like any other value. */
  readonly json: string | undefined;
  /** The size of the JSON text in bytes of UTF-8; 0 for a deletion. */
  readonly bytes: number;
  /** The writers' numbers, ascending. Several if independent tasks wrote equal values. */
  readonly writers: readonly number[];
}

const NO_ENTRY: ContextEntry = { json: undefined, bytes: 0, writers: [] };

/**
 * An immutable map from keys to entries: `put` makes a new map, which shares all but a few nodes with the old one. It
 * is a balanced (AVL) tree by key. Unlike in a hash map, no choice of keys makes it slow.
 */
export class ContextIndex {
  /** The map without keys, of height 0. It takes the place of every missing subtree, also of its own. */
  static readonly empty = new ContextIndex('', NO_ENTRY, 0);

  readonly before: ContextIndex;
  readonly after: ContextIndex;

  private constructor(
    readonly key: string,
    readonly entry: ContextEntry,
    readonly height: number,
    before?: ContextIndex,
    after?: ContextIndex,
  ) {
    this.before = before ?? this;
    this.after = after ?? this;
  }

  /** Builds a map from entries that are sorted by key, without duplicates. Faster than putting them one by one. */
  static of(entries: readonly (readonly [string, ContextEntry])[]): ContextIndex {
    const middle = entries.length >>> 1;
    const found = entries[middle];
    if (found === undefined) return ContextIndex.empty;
    const [key, entry] = found;
    return new ContextIndex(key, entry, 0).with(
      ContextIndex.of(entries.slice(0, middle)),
      ContextIndex.of(entries.slice(middle + 1)),
    );
  }

  /** The node of the key, if the map has it. */
  find(key: string): ContextIndex | undefined {
    if (this.height === 0) return undefined;
    if (key === this.key) return this;
    return key < this.key ? this.before.find(key) : this.after.find(key);
  }

  put(key: string, entry: ContextEntry): ContextIndex {
    const { before, after } = this;
    if (this.height === 0) return new ContextIndex(key, entry, 1, this, this);
    if (key === this.key) return new ContextIndex(key, entry, this.height, before, after);
    return key < this.key
      ? this.balanced(before.put(key, entry), after)
      : this.balanced(before, after.put(key, entry));
  }

  /** Visits all nodes, ascending by key. */
  forEach(visit: (node: ContextIndex) => void): void {
    if (this.height === 0) return;
    this.before.forEach(visit);
    visit(this);
    this.after.forEach(visit);
  }

  /** A copy of this node with other subtrees, whose heights differ by at most 2. Rotates if they differ by 2. */
  private balanced(before: ContextIndex, after: ContextIndex): ContextIndex {
    if (before.height > after.height + 1) {
      const { before: outer, after: inner } = before;
      if (outer.height >= inner.height) return before.with(outer, this.with(inner, after));
      return inner.with(before.with(outer, inner.before), this.with(inner.after, after));
    }
    if (after.height > before.height + 1) {
      const { before: inner, after: outer } = after;
      if (outer.height >= inner.height) return after.with(this.with(before, inner), outer);
      return inner.with(this.with(before, inner.before), after.with(inner.after, outer));
    }
    return this.with(before, after);
  }

  private with(before: ContextIndex, after: ContextIndex): ContextIndex {
    const height = Math.max(before.height, after.height) + 1;
    return new ContextIndex(this.key, this.entry, height, before, after);
  }
}
