import type { Clock } from './clock.js';

/**
 * When a part is taken next, as shares of the interval. All are random within bounds, so that processes started together
 * drift apart. A process that has just taken a part takes it again a little earlier than others, to whom it was
 * confirmed: so one process continues with it, and the others take over when that one stops.
 */
const FIRST = { from: 0.5, to: 0.88 } as const;
const TAKEN = { from: 0.88, to: 0.9 } as const;
const CONFIRMED = { from: 0.93, to: 1 } as const;
/** Number of intervals within which a part is taken, whatever was confirmed. */
const TAKEN_WITHIN = 8;

interface Part<T> {
  readonly items: readonly T[];
  dueAt: number;
  takenAt: number;
  /** When another process was last known to have visited the part. */
  confirmedAt: number;
}

/** A part that was taken. */
export interface TakenPart<T> {
  readonly items: readonly T[];
  /** Whether another process has visited the part in this interval, so that this visit is for this process alone. */
  readonly isExtra: boolean;
}

/**
 * Visits all items once in each interval, in parts that are spread evenly over it, so that a thousand items are no
 * burst. A part that another process has visited is postponed by an interval.
 */
export class StaggeredSweep<T> {
  private parts: Part<T>[] = [];
  /** When items came or went since they were divided into parts; undefined if none did. */
  private changedAt: number | undefined;
  /** Earliest time of the next part. It keeps a process that was held up from taking its overdue parts all at once. */
  private notBefore = -Infinity;

  /** @param all - the items, in an order that all processes share */
  constructor(
    private readonly all: () => readonly T[],
    private readonly intervalMs: number,
    private readonly maxPartSize: number,
    private readonly clock: Clock,
  ) {
    this.changedAt = clock.now();
  }

  /** When the next part is due, by the clock's `now()`. Without items: when to look again whether there are some. */
  get nextAt(): number {
    const dueAt = this.next?.dueAt ?? this.clock.now() + this.intervalMs * FIRST.from;
    return Math.max(this.notBefore, dueAt);
  }

  /** Call when items have come or gone. */
  changed(): void {
    this.changedAt ??= this.clock.now();
  }

  /** The next part, if it is due at that time. */
  take(at: number): TakenPart<T> | undefined {
    const part = this.next;
    if (part === undefined || at < this.nextAt) return undefined;
    const isExtra = at - part.confirmedAt < this.intervalMs * TAKEN.from;
    part.takenAt = at;
    // After an extra visit, the process that has made the visits so far continues with them.
    part.dueAt = (isExtra ? part.confirmedAt : at) + this.random(isExtra ? CONFIRMED : TAKEN);
    this.notBefore = at + (this.intervalMs * FIRST.from) / this.parts.length;
    return { items: part.items, isExtra };
  }

  /**
   * Postpones a part, because another process has visited it. Returns whether it was postponed: after several intervals this
   * process visits the part for itself.
   */
  confirm(items: readonly T[]): boolean {
    this.arrange();
    const now = this.clock.now();
    const part = this.parts.find((one) => isSame(one.items, items));
    if (part === undefined) return false;
    part.confirmedAt = now;
    if (now - part.takenAt > TAKEN_WITHIN * this.intervalMs) return false;
    part.dueAt = Math.max(part.dueAt, now + this.random(CONFIRMED));
    return true;
  }

  private get next(): Part<T> | undefined {
    this.arrange();
    let first: Part<T> | undefined;
    for (const part of this.parts)
      if (first === undefined || part.dueAt < first.dueAt) first = part;
    return first;
  }

  /** Divides the items anew after a change. A part is due as soon as one of its items was. */
  private arrange(): void {
    if (this.changedAt === undefined) return;
    const now = this.changedAt;
    this.changedAt = undefined;
    const before = new Map(this.parts.flatMap((part) => part.items.map((item) => [item, part])));
    const all = this.all();
    const count = Math.ceil(all.length / this.maxPartSize);
    const size = Math.ceil(all.length / count);
    const firstMs = this.random(FIRST);
    this.parts = Array.from({ length: count }, (_, i) => {
      const items = all.slice(i * size, (i + 1) * size);
      const known = items.flatMap((item) => before.get(item) ?? []);
      return {
        items,
        dueAt: Math.min(now + (firstMs * (i + 1)) / count, ...known.map(({ dueAt }) => dueAt)),
        takenAt: Math.min(now, ...known.map(({ takenAt }) => takenAt)),
        confirmedAt: -Infinity,
      };
    });
  }

  private random({ from, to }: { readonly from: number; readonly to: number }): number {
    return this.intervalMs * (from + this.clock.random() * (to - from));
  }
}

function isSame<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((item, i) => item === other[i]);
}
