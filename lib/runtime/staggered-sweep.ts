import type { Clock } from './clock.js';

/**
 * Minimum duration of a round, as a share of the interval. It is random, so that processes started together drift
 * apart.
 */
const SHORTEST = 0.8;

/**
 * Visits all items once in each interval, in parts that are spread evenly over it, so that a thousand items are no
 * burst.
 */
export class StaggeredSweep<T> {
  private left: T[] = [];
  private partSize = 1;
  private pauseMs: number;
  private next: number;

  constructor(
    private readonly all: () => readonly T[],
    private readonly intervalMs: number,
    private readonly maxPartSize: number,
    private readonly clock: Clock,
  ) {
    this.pauseMs = intervalMs * SHORTEST;
    this.next = clock.now() + this.pauseMs;
  }

  /** When the next part is due, by the clock's `now()`. */
  get nextAt(): number {
    return this.next;
  }

  /** The next part, if it is due at that time. */
  take(at: number): T[] | undefined {
    if (at < this.next) return undefined;
    if (this.left.length === 0) this.begin();
    // The second bound keeps a process that was held up from taking its overdue parts all at once.
    this.next = Math.max(this.next + this.pauseMs, at + this.pauseMs / 2);
    const part = this.left.splice(0, this.partSize);
    return part.length === 0 ? undefined : part;
  }

  private begin(): void {
    this.left = [...this.all()];
    const parts = Math.max(1, Math.ceil(this.left.length / this.maxPartSize));
    this.partSize = Math.ceil(this.left.length / parts);
    this.pauseMs = (this.intervalMs * (SHORTEST + this.clock.random() * (1 - SHORTEST))) / parts;
  }
}
