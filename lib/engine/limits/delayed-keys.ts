import type { Clock, Timer } from '../../runtime/clock.js';

/** Keys that are to be looked at later, each at its own time, with one timer for all. */
export class DelayedKeys {
  private readonly times = new Map<string, number>();
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
    if (at < this.timerAt) this.set(at);
  }

  has(key: string): boolean {
    return this.times.has(key);
  }

  close(): void {
    this.timer?.cancel();
    this.times.clear();
  }

  private set(at: number): void {
    this.timer?.cancel();
    this.timerAt = at;
    this.timer = this.clock.timer(() => this.ring(), Math.max(0, at - this.clock.now()));
  }

  private ring(): void {
    const now = this.clock.now();
    const due: string[] = [];
    let next = Infinity;
    for (const [key, at] of this.times) {
      if (at <= now) due.push(key);
      else next = Math.min(next, at);
    }
    for (const key of due) this.times.delete(key);
    this.timerAt = Infinity;
    if (next < Infinity) this.set(next);
    if (due.length > 0) this.onDue(due);
  }
}
