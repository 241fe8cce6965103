/**
 * Lets so many holders in at a time; the others wait, first come first served. It keeps user code from taking every
 * connection of a pool, without failing anyone.
 */
export class ConnectionLimit {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(max: number) {
    this.free = max;
  }

  /**
   * Calls `holder` when there is room: at once if there is some now. It gets the function that gives the room back;
   * calling that twice does nothing.
   */
  enter(holder: (leave: () => void) => void): void {
    const begin = (): void => holder(this.leaveOnce());
    if (this.free > 0) {
      this.free--;
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
      if (next === undefined) this.free++;
      else next();
    };
  }
}
