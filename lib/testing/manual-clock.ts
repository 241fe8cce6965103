import { systemClock, type Clock, type Timer } from '../runtime/clock.js';
import { sleepByTimer } from './sleep-by-timer.js';

interface Pending {
  at: number;
  readonly callback: () => void;
  /** For an interval: the time until the next call, in milliseconds. */
  readonly everyMs?: number;
}

export interface ManualClockOptions {
  /** Value that `random` returns, from 0 to 1. Default: 0.5. */
  readonly chance?: number;
  /** Initial time of day. Default: the beginning of the year 2030. */
  readonly startsAt?: Date;
}

/** A clock that stands still until a test advances it. */
export class ManualClock implements Clock {
  private time = 0;
  private readonly pending = new Set<Pending>();
  private readonly chance: number;
  private readonly startsAt: number;

  constructor({ chance = 0.5, startsAt = new Date('2030-01-01') }: ManualClockOptions = {}) {
    this.chance = chance;
    this.startsAt = startsAt.getTime();
  }

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return this.startsAt + this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepByTimer(this, ms, signal);
  }

  timer(callback: () => void, ms: number): Timer {
    return this.add({ at: this.time + Math.max(0, ms), callback });
  }

  interval(callback: () => void, ms: number): Timer {
    return this.add({ at: this.time + ms, callback, everyMs: ms });
  }

  /** Runs in the next turn of the event loop, even though this clock stands still. */
  immediate(callback: () => void): void {
    systemClock.immediate(callback);
  }

  random(): number {
    return this.chance;
  }

  /** Number of timers and sleeps that are set. */
  get waiting(): number {
    return this.pending.size;
  }

  /** Advances by `ms`. Each timer that becomes due is called at its time, and its asynchronous effects are awaited. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (let next = this.first(end); next !== undefined; next = this.first(end)) {
      this.time = next.at;
      if (next.everyMs === undefined) this.pending.delete(next);
      else next.at += next.everyMs;
      next.callback();
      await settled();
    }
    this.time = end;
    await settled();
  }

  private add(entry: Pending): Timer {
    this.pending.add(entry);
    return { cancel: () => void this.pending.delete(entry) };
  }

  /** The next timer up to `end`. Of timers at the same time, the one that was set first. */
  private first(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const entry of this.pending) {
      if (entry.at <= end && (first === undefined || entry.at < first.at)) first = entry;
    }
    return first;
  }
}

/** Resolves after all promises that were ready have called back. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemClock.immediate(resolve));
}
