import { systemClock, type Clock, type Timer } from '../runtime/clock.js';

interface Pending {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it on. */
export class ManualClock implements Clock {
  private time = 0;
  private readonly pending = new Set<Pending>();

  /** @param chance - what `random` gives each time, from 0 to 1; default 0.5 */
  constructor(private readonly chance = 0.5) {}

  now(): number {
    return this.time;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.timer(resolve, ms));
  }

  timer(callback: () => void, ms: number): Timer {
    const entry = { at: this.time + Math.max(0, ms), callback };
    this.pending.add(entry);
    return { cancel: () => void this.pending.delete(entry) };
  }

  immediate(callback: () => void): void {
    this.timer(callback, 0);
  }

  random(): number {
    return this.chance;
  }

  /** Timers and sleeps that are set. */
  get waiting(): number {
    return this.pending.size;
  }

  /** Moves on by `ms`: what becomes due on the way is called at its time, and what follows from it is waited for. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (let next = this.first(end); next !== undefined; next = this.first(end)) {
      this.pending.delete(next);
      this.time = next.at;
      next.callback();
      await settled();
    }
    this.time = end;
    await settled();
  }

  /** Of those at one time the one that was set first. */
  private first(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const entry of this.pending) {
      if (entry.at <= end && (first === undefined || entry.at < first.at)) first = entry;
    }
    return first;
  }
}

/** Promises that were ready have called back. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemClock.immediate(resolve));
}
