/** What is done to one name is done in turn; other names don't wait. */
export class KeyedMutex {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Runs `work` when everything that was asked for the name before it is over, however that went. */
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

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.last.size > 0) await Promise.all(this.last.values());
  }
}
