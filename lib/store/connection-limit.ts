/**
 * Lets so many holders in at a time; the others wait, first come first served. It keeps user code from taking every
 * connection of a pool, without failing anyone.
 */
export class ConnectionLimit {
  private inside = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param max - asked each time: a pool may grow */
  constructor(private readonly max: () => number) {}

  /**
   * Calls `holder` when there is room: at once if there is some now. It gets the function that gives the room back;
   * calling that twice does nothing.
   */
  enter(holder: (leave: () => void) => void): void {
    const begin = (): void => holder(this.leaveOnce());
    if (this.inside < this.max()) {
      this.inside++;
      begin();
    } else {
      this.waiting.push(begin);
    }
  }

  private leaveOnce(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      // Handed on to the one who waits longest; only what nobody waits for becomes free.
      const next = this.waiting.shift();
      if (next === undefined) this.inside--;
      else next();
    };
  }
}
