/** One of those that are worked on together; whoever works on it says how it went. */
export interface Gathered<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export interface GatheringOptions {
  /** Whether a batch waits for the one before it, so that more gather meanwhile. */
  readonly inTurn: boolean;
}

/** What is asked for in the same turn of the event loop, or while a batch is under way, is done together. */
export class Gathering<I, R> {
  private waiting: Gathered<I, R>[] = [];
  private planned = false;

  constructor(
    private readonly options: GatheringOptions,
    /** What it leaves open fails with what it rejects with. */
    private readonly work: (batch: readonly Gathered<I, R>[]) => Promise<void>,
  ) {}

  add(item: I): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.planned) this.plan();
    });
  }

  private plan(): void {
    this.planned = true;
    setImmediate(() => void this.run());
  }

  private async run(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    if (!this.options.inTurn) this.planned = false;
    try {
      await this.work(batch);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    if (!this.options.inTurn) return;
    if (this.waiting.length > 0) this.plan();
    else this.planned = false;
  }
}
