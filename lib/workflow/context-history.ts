/**
 * A point in the history of a context: the keys that were written there, and the point before it. Two contexts can only
 * differ in keys that were written after their last common point, so a join looks at no other keys. The history holds
 * only names of keys, so values can be collected when no context uses them.
 */
export class ContextHistory {
  /** The first point of every history, without keys. */
  static readonly start = new ContextHistory([]);

  /** The number of earlier points. */
  readonly depth: number;
  /** The number of keys written up to this point, counting repetitions. */
  readonly length: number;
  readonly parent: ContextHistory;
  /** An earlier point. The distances double (a skew-binary jump pointer), so few jumps and steps reach every point. */
  private readonly jump: ContextHistory;

  private constructor(
    /** The keys that were written at this point. */
    readonly keys: readonly string[],
    parent?: ContextHistory,
  ) {
    if (parent === undefined) {
      this.depth = 0;
      this.length = 0;
      this.parent = this;
      this.jump = this;
    } else {
      const { depth, length, jump } = parent;
      this.depth = depth + 1;
      this.length = length + keys.length;
      this.parent = parent;
      this.jump = depth - jump.depth === jump.depth - jump.jump.depth ? jump.jump : parent;
    }
  }

  write(keys: readonly string[]): ContextHistory {
    return new ContextHistory(keys, this);
  }

  /** The last point that both histories contain. */
  common(other: ContextHistory): ContextHistory {
    const depth = Math.min(this.depth, other.depth);
    let mine = this.at(depth);
    let theirs = other.at(depth);
    while (mine !== theirs) {
      // Points of the same depth jump equally far.
      const apart = mine.jump !== theirs.jump;
      mine = apart ? mine.jump : mine.parent;
      theirs = apart ? theirs.jump : theirs.parent;
    }
    return mine;
  }

  /** The earlier point (or this one) with the given depth. */
  private at(depth: number): ContextHistory {
    if (this.depth === depth) return this;
    return (this.jump.depth >= depth ? this.jump : this.parent).at(depth);
  }
}
