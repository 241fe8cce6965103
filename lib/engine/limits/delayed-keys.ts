import type { Clock, Timer } from '../../runtime/clock.js';
import { TimeHeap } from '../../runtime/time-heap.js';

/** Keys that are to be looked at later, each at its own time, with one timer for all. There may be a hundred thousand of them. */
export class DelayedKeys {
  private readonly times = new Map<string, number>();
  /** Also has former times of keys that were found to be due earlier. */
  private readonly order = new TimeHeap<string>();
  private timer: Timer | undefined;
  private timerAt = Infinity;

  /** @param onDue - gets the keys whose time has come */
  constructor(
    private readonly clock: Pick<Clock, 'now' | 'timer'>,
    private readonly onDue: (keys: readonly string[]) => void,
  ) {}

  /** Delays a key, unless it is due earlier. */
  add(key: string, inMs: number): void {
    const at = this.clock.now() + inMs;
    if ((this.times.get(key) ?? Infinity) <= at) return;
    this.times.set(key, at);
    this.order.add(key, at);
    if (at < this.timerAt) this.set(at);
  }

  has(key: string): boolean {
    return this.times.has(key);
  }

  close(): void {
    this.timer?.cancel();
    this.times.clear();
    this.order.clear();
  }

  private set(at: number): void {
    this.timer?.cancel();
    this.timerAt = at;
    this.timer = this.clock.timer(() => this.ring(), Math.max(0, at - this.clock.now()));
  }

  private ring(): void {
    const now = this.clock.now();
    const due: string[] = [];
    while (this.order.nextAt <= now) {
      const { item: key, at } = this.order.take() ?? { item: '', at: 0 };
      if (this.times.get(key) !== at) continue;
      this.times.delete(key);
      due.push(key);
    }
    this.timerAt = Infinity;
    if (this.order.nextAt < Infinity) this.set(this.order.nextAt);
    if (due.length > 0) this.onDue(due);
  }
}
