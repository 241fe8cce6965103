/** A mutex for each name: work for one name runs one at a time, work for different names runs in parallel. */
export class KeyedMutex {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all earlier work for the name has ended, successfully or not. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(name);
    const turn = before === undefined ? work() : before.then(work);
    const whenIdle = turn.then(
      () => undefined,
      () => undefined,
    );
    this.last.set(name, whenIdle);
    void whenIdle.then(() => {
      if (this.last.get(name) === whenIdle) this.last.delete(name);
    });
    return turn;
  }

  /** Resolves when no work is under way for any name. */
  async settled(): Promise<void> {
    while (this.last.size > 0) await Promise.all(this.last.values());
  }
}
