import { Logger } from '@nestjs/common';
import { systemClock } from '../runtime/clock.js';
import { KeyedMutex } from '../runtime/keyed-mutex.js';
import type { TestClock } from './test-clock.js';
import type { TestStorage } from './test-storage.js';
import type { ResolvedTestingOptions } from './testing-options.js';

/**
 * Real time without progress after which a boot or a close counts as waiting for the clock, in milliseconds. A database
 * answers in real time, so there it must be longer than an answer takes.
 */
const STALLED_MS = { memory: 1, postgres: 500 } as const;
/** How far time moves at most before a wait is given up, in milliseconds: 366 days. */
export const YEAR_MS = 366 * 86_400_000;
/** Minimum time between two rounds of upkeep on the way of a longer advance, in milliseconds. */
const UPKEEP_MS = 86_400_000;

export interface TestTimelineParts {
  readonly options: ResolvedTestingOptions;
  readonly clock: TestClock;
  readonly storage: Pick<TestStorage, 'setTime'>;
  /** Resolves when there is nothing left to do at this time. */
  readonly settle: () => Promise<void>;
  /** Whether a call of the living process waits for a result. */
  readonly isAwaited: () => boolean;
}

/** Moves the time of a test from timer to timer, on its clock and in its storage. */
export class TestTimeline {
  private readonly logger = new Logger('CloacinaTesting');
  private readonly turns = new KeyedMutex();
  private upkeepAt = 0;
  private skipping = false;

  constructor(private readonly parts: TestTimelineParts) {}

  /** Moves the time to `end`, and runs on the way what becomes due, in order. `until` may end the way earlier. */
  moveTo(end: number, until: () => boolean = () => false): Promise<void> {
    return this.turns.run('time', async () => {
      await this.parts.settle();
      while (!until()) {
        const next = this.parts.clock.next();
        if (next === undefined || next > end) break;
        await this.step(next);
      }
      if (until()) return;
      await this.setTime(end);
      await this.upkeep();
      // What the upkeep has found may be due by now.
      while (!until() && (this.parts.clock.next() ?? Infinity) <= end) await this.step(end);
    });
  }

  /** While all is idle and a call waits for a result, moves the time to the next thing due. */
  skipSoon(): void {
    if (!this.parts.options.autoAdvance || this.skipping) return;
    this.skipping = true;
    void this.skip().finally(() => (this.skipping = false));
  }

  private async skip(): Promise<void> {
    const end = this.parts.clock.now() + YEAR_MS;
    const { isAwaited, settle } = this.parts;
    await settle();
    while (isAwaited()) {
      const next = this.parts.clock.next();
      if (next === undefined) return;
      if (next > end) {
        this.logger.warn(
          'autoAdvance has moved the time by a year, and a result is still awaited.',
        );
        return;
      }
      await this.turns.run('time', () => this.step(next));
    }
  }

  private async step(time: number): Promise<void> {
    await this.setTime(time);
    this.parts.clock.fire({ lazyToo: false });
    await this.parts.settle();
    if (this.parts.clock.now() >= this.upkeepAt + UPKEEP_MS) await this.upkeep();
  }

  private async upkeep(): Promise<void> {
    this.upkeepAt = this.parts.clock.now();
    this.parts.clock.fire({ lazyToo: true });
    await this.parts.settle();
  }

  /** The database first: a process that looks when it is due finds it due. */
  private async setTime(time: number): Promise<void> {
    if (time <= this.parts.clock.now()) return;
    await this.parts.storage.setTime(new Date(this.parts.options.startsAt.getTime() + time));
    this.parts.clock.moveTo(time);
  }

  /** Waits for a call that may wait for the clock, which moves on for it. */
  async driven<T>(call: Promise<T>): Promise<T> {
    const state = { isOver: false };
    const end = (): void => void (state.isOver = true);
    const over = call.then(end, end);
    const stalledMs = STALLED_MS[this.parts.options.store];
    while (!state.isOver) {
      await Promise.race([over, this.parts.settle()]);
      const timeout = new AbortController();
      await Promise.race([over, systemClock.sleep(stalledMs, timeout.signal)]);
      timeout.abort();
      const next = state.isOver ? undefined : this.parts.clock.next(true);
      if (next === undefined) continue;
      await this.setTime(next);
      this.parts.clock.fire({ lazyToo: false });
    }
    return call;
  }
}
