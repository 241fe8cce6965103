import { systemClock, type Clock, type Timer } from '../runtime/clock.js';
import { sleepByTimer } from '../testing/sleep-by-timer.js';

/** What a timer belongs to: a process of the test kit. */
export interface ClockOwner {
  /** Whether the process has crashed. Its timers are never called. */
  readonly isDead: boolean;
  /** Call before work that the clock does not show: the kit waits until it is done. Returns the end of it. */
  begin(): () => void;
}

interface Pending {
  readonly owner: ClockOwner;
  /** Time of the call, a whole number of milliseconds since the clock's start. */
  at: number;
  readonly callback: () => void;
  /** Of an interval: the time until the next call, in milliseconds. */
  readonly everyMs?: number;
  /** Whether it may be late: time does not stop for it. */
  readonly isLazy: boolean;
  readonly isSleep: boolean;
}

/**
 * The clock of the processes of one test, which stands still until the test moves it. Time stops at each timer on its way,
 * except at those of regular upkeep (intervals, the rounds of the sweep): in two weeks there are a hundred thousand of
 * these, and what they look for has timers of its own.
 */
export class TestClock {
  private time = 0;
  private readonly pending = new Set<Pending>();

  /**
   * @param startsAt - the initial time of day
   * @param chance - the value of `random()`, from 0 to 1
   */
  constructor(
    private readonly startsAt: Date,
    private readonly chance: number,
  ) {}

  /** Milliseconds since the clock's start. */
  now(): number {
    return this.time;
  }

  /** The time of day. */
  get date(): Date {
    return new Date(this.startsAt.getTime() + this.time);
  }

  /** The clock as a process sees it. Its timers end with the process. */
  of(owner: ClockOwner, isLazy = false): Clock {
    const clock: Clock = {
      now: () => this.time,
      wallTime: () => this.date.getTime(),
      sleep: (ms, signal) => sleepByTimer({ timer: sleepTimer }, ms, signal),
      timer: (callback, ms) => this.add({ owner, callback, isLazy, isSleep: false }, ms),
      interval: (callback, ms) =>
        this.add({ owner, callback, isLazy: true, isSleep: false, everyMs: ms }, ms),
      immediate: (callback) => {
        const end = owner.begin();
        systemClock.immediate(() => {
          end();
          if (!owner.isDead) callback();
        });
      },
      random: () => this.chance,
    };
    const sleepTimer = (callback: () => void, ms: number): Timer =>
      this.add({ owner, callback, isLazy: false, isSleep: true }, ms);
    return clock;
  }

  /** Time of the next timer at which time stops; undefined if there is none. */
  next(onlySleeps = false): number | undefined {
    let first: number | undefined;
    for (const { at, isLazy, isSleep } of this.pending) {
      if (!isLazy && (isSleep || !onlySleeps) && (first === undefined || at < first)) first = at;
    }
    return first;
  }

  /** Sets the time. It never goes back. */
  moveTo(time: number): void {
    this.time = Math.max(this.time, time);
  }

  /** Calls the timers that are due, by their times; of those at the same time, the one that was set first. */
  fire({ lazyToo }: { readonly lazyToo: boolean }): void {
    const due = [...this.pending]
      .filter(({ at, isLazy }) => at <= this.time && (lazyToo || !isLazy))
      .sort((a, b) => a.at - b.at);
    for (const entry of due) {
      // An earlier callback may have cancelled this timer.
      if (!this.pending.has(entry)) continue;
      if (entry.everyMs === undefined) this.pending.delete(entry);
      // Once, however often it was due.
      else entry.at = this.time + entry.everyMs;
      entry.callback();
    }
  }

  /** Drops the timers of a process. */
  drop(owner: ClockOwner): void {
    for (const entry of this.pending) if (entry.owner === owner) this.pending.delete(entry);
  }

  /** Number of timers that are set. */
  get size(): number {
    return this.pending.size;
  }

  private add(timer: Omit<Pending, 'at'>, ms: number): Timer {
    if (timer.owner.isDead) return { cancel: () => undefined };
    const entry = { ...timer, at: Math.ceil(this.time + Math.max(0, ms)) };
    this.pending.add(entry);
    return { cancel: () => void this.pending.delete(entry) };
  }
}
