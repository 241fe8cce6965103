import type { Clock } from './clock.js';

/** An item that waits for its batch. The batch resolves or rejects it. */
export interface PendingItem<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export interface MicroBatcherOptions {
  readonly clock: Pick<Clock, 'immediate'>;
  /** Whether a batch waits for the previous one, so that it collects more items. */
  readonly oneAtATime: boolean;
}

/**
 * Collects the items of one turn of the event loop into a batch. With `oneAtATime` it also collects those that are
 * added while a batch is under way.
 */
export class MicroBatcher<I, R> {
  private waiting: PendingItem<I, R>[] = [];
  private planned = false;

  constructor(
    private readonly options: MicroBatcherOptions,
    /** Handles a batch. If it rejects, the items that are still pending are rejected with its error. */
    private readonly work: (batch: readonly PendingItem<I, R>[]) => Promise<void>,
  ) {}

  add(item: I): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.planned) this.plan();
    });
  }

  private plan(): void {
    this.planned = true;
    this.options.clock.immediate(() => void this.run());
  }

  private async run(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    if (!this.options.oneAtATime) this.planned = false;
    try {
      await this.work(batch);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    if (!this.options.oneAtATime) return;
    if (this.waiting.length > 0) this.plan();
    else this.planned = false;
  }
}
