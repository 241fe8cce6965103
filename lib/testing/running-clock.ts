import { systemClock, type Clock, type Timer } from '../runtime/clock.js';
import { sleepByTimer } from './sleep-by-timer.js';

interface Pending {
  readonly at: number;
  readonly callback: () => void;
  system: Timer | undefined;
}

/**
 * The system's clock, which a test can move ahead. It is for tests with a real database: the time that statements take
 * passes by itself, and longer times pass when the test advances the clock.
 */
export class RunningClock implements Clock {
  private ahead = 0;
  private readonly pending = new Set<Pending>();

  now(): number {
    return systemClock.now() + this.ahead;
  }

  wallTime(): number {
    return systemClock.wallTime() + this.ahead;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepByTimer(this, ms, signal);
  }

  timer(callback: () => void, ms: number): Timer {
    const entry: Pending = { at: this.now() + ms, callback, system: undefined };
    this.arm(entry, ms);
    this.pending.add(entry);
    return { cancel: () => this.drop(entry) };
  }

  interval(callback: () => void, ms: number): Timer {
    let timer: Timer;
    const arm = (): void => {
      timer = this.timer(() => {
        arm();
        callback();
      }, ms);
    };
    arm();
    return { cancel: () => timer.cancel() };
  }

  immediate(callback: () => void): void {
    systemClock.immediate(callback);
  }

  random(): number {
    return systemClock.random();
  }

  /** Advances by `ms`. Timers that are due by then are called now, in the order of their times. */
  advance(ms: number): void {
    this.ahead += ms;
    const now = this.now();
    for (const entry of [...this.pending].sort((a, b) => a.at - b.at)) {
      // An earlier callback may have cancelled this timer.
      if (!this.pending.has(entry)) continue;
      entry.system?.cancel();
      if (entry.at > now) this.arm(entry, entry.at - now);
      else this.fire(entry);
    }
  }

  private arm(entry: Pending, ms: number): void {
    entry.system = systemClock.timer(() => this.fire(entry), ms);
  }

  private fire(entry: Pending): void {
    this.pending.delete(entry);
    entry.callback();
  }

  private drop(entry: Pending): void {
    entry.system?.cancel();
    this.pending.delete(entry);
  }
}
