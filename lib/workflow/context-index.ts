/** What one key of a context holds, and whose word it is. */
export interface ContextEntry {
  /** `undefined`: the key was deleted, which is a value like any other. */
  readonly json: string | undefined;
  /** Of the JSON text, in UTF-8; 0 for a deletion. */
  readonly bytes: number;
  /** Ascending; several when tasks that know nothing of each other wrote equal values. */
  readonly writers: readonly number[];
}

const NO_ENTRY: ContextEntry = { json: undefined, bytes: 0, writers: [] };

/**
 * A map from keys to entries that is never changed: putting a key makes a new map, which shares all but a few nodes
 * with the old one. A balanced (AVL) tree by key; unlike with one by hashes, no choice of keys makes it slow.
 */
export class ContextIndex {
  /** The one without keys, of height 0. It is below every node that has nothing there, itself included. */
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

  /** Of entries that are ascending by key, each key once: quicker than to put one after the other. */
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

  /** The node of the key, if it is there. */
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

  /** Ascending by key. */
  forEach(visit: (node: ContextIndex) => void): void {
    if (this.height === 0) return;
    this.before.forEach(visit);
    visit(this);
    this.after.forEach(visit);
  }

  /** This node on other subtrees, whose heights differ by at most 2: rotated where they differ by 2. */
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
