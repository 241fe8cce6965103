/**
 * Does a piece of work for one item after the other, in the background of its caller. An item that is added while it waits
 * gets one turn.
 *
 * States: idle, at work.
 */
export class BackgroundTurns<T> {
  private readonly waiting = new Set<T>();
  private isAtWork = false;
  private work = Promise.resolve();

  /** @param turn - the work for one item. If it fails, the next items get their turns all the same. */
  constructor(private readonly turn: (item: T) => Promise<unknown>) {}

  add(items: Iterable<T>): void {
    for (const item of items) this.waiting.add(item);
    if (this.isAtWork || this.waiting.size === 0) return;
    this.isAtWork = true;
    this.work = this.run();
  }

  /** Resolves when no work is under way. */
  async whenIdle(): Promise<void> {
    await this.work;
  }

  private async run(): Promise<void> {
    // Items that are added during this are at the end.
    for (const item of this.waiting) {
      this.waiting.delete(item);
      try {
        await this.turn(item);
      } catch {
        // It is left to its next turn.
      }
    }
    // In the step in which the loop has found no more: an item that comes later would get no turn.
    this.isAtWork = false;
  }
}
