/**
 * Does a piece of work for one item after the other, in the background of its caller. An item that is added while it waits
 * gets one turn.
 *
 * States: idle, at work.
 */
export class BackgroundTurns<T> {
  private readonly waiting = new Set<T>();
  private work: Promise<void> | undefined;

  /** @param turn - the work for one item. If it fails, the next items get their turns all the same. */
  constructor(private readonly turn: (item: T) => Promise<unknown>) {}

  add(items: Iterable<T>): void {
    for (const item of items) this.waiting.add(item);
    this.work ??= this.run().finally(() => (this.work = undefined));
  }

  /** Resolves when no work is under way. */
  async whenIdle(): Promise<void> {
    await this.work;
  }

  private async run(): Promise<void> {
    // Items that are added during this are at the end.
    for (const item of this.waiting) {
      this.waiting.delete(item);
      await this.turn(item).catch(() => undefined);
    }
  }
}
