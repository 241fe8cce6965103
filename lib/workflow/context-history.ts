/**
 * How a context came to be: which keys were written, upon which earlier context. Two contexts differ in no other keys
 * than those written since the last point that they have in common, so a join need not look at more. It keeps the
 * names of keys only: values are gone when no context holds them.
 */
export class ContextHistory {
  /** Where all histories begin: nothing was written. */
  static readonly start = new ContextHistory([]);

  /** How many points there were before. */
  readonly depth: number;
  /** How many keys were written up to here, repeated ones included. */
  readonly length: number;
  readonly parent: ContextHistory;
  /** A point further back, at distances that double, so that every point is a few jumps and steps away. */
  private readonly jump: ContextHistory;

  private constructor(
    /** Written at this point. */
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

  /** The last point that both have. */
  common(other: ContextHistory): ContextHistory {
    const depth = Math.min(this.depth, other.depth);
    let mine = this.at(depth);
    let theirs = other.at(depth);
    while (mine !== theirs) {
      // Of the same depth, so both jump equally far.
      const apart = mine.jump !== theirs.jump;
      mine = apart ? mine.jump : mine.parent;
      theirs = apart ? theirs.jump : theirs.parent;
    }
    return mine;
  }

  /** The point at a depth that is not below this one. */
  private at(depth: number): ContextHistory {
    if (this.depth === depth) return this;
    return (this.jump.depth >= depth ? this.jump : this.parent).at(depth);
  }
}
