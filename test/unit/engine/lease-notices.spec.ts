import { beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseNotices, WATCH_MS } from '../../../lib/engine/lease/lease-notices.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

/** Processes that hear each other's notices at once, with their checks at different times. */
class Processes {
  sent = 0;
  begun = 0;
  readonly holding = new Set<number>();
  readonly notices: readonly LeaseNotices[];

  constructor(
    readonly clock: ManualClock,
    count: number,
    hasLock = true,
  ) {
    this.notices = Array.from(
      { length: count },
      (_, i) =>
        new LeaseNotices({
          clock,
          mayHoldLease: () => this.holding.has(i),
          hasLock: () => hasLock,
          notify: () => {
            this.sent++;
            for (const one of this.notices) one.heard();
          },
          onBegin: () => this.begun++,
        }),
    );
  }

  async start(): Promise<void> {
    for (const one of this.notices) {
      one.start();
      await this.clock.advance(37);
    }
  }

  get watching(): number {
    return this.notices.filter(({ isOn }) => isOn).length;
  }
}

describe('LeaseNotices', () => {
  let clock: ManualClock;
  beforeEach(() => {
    clock = new ManualClock();
  });

  it('send nothing, and have no process watch, while there is no lease', async () => {
    const processes = new Processes(clock, 8);
    await processes.start();
    await clock.advance(600_000);
    expect([processes.sent, processes.watching]).toEqual([0, 0]);
    // The first lease has to carry a notice, and one that follows it does not.
    expect(processes.notices.every(({ isDue }) => isDue)).toBe(true);
    for (const one of processes.notices) one.heard();
    expect(processes.notices.some(({ isDue }) => isDue)).toBe(false);
  });

  it('keep the watch of all on while one process has a lease, and end it after that', async () => {
    const processes = new Processes(clock, 8);
    await processes.start();
    for (const one of processes.notices) one.heard();
    processes.holding.add(5);
    for (let i = 0; i < 600; i++) {
      await clock.advance(100);
      expect(processes.watching).toBe(8);
    }
    expect(processes.begun).toBe(8);
    processes.holding.clear();
    await clock.advance(WATCH_MS);
    expect(processes.watching).toBe(0);
  });

  it('are not sent more often when more processes have leases', async () => {
    const sent = async (count: number): Promise<number> => {
      const processes = new Processes(clock, count);
      for (let i = 0; i < count; i++) processes.holding.add(i);
      await processes.start();
      const before = processes.sent;
      await clock.advance(600_000);
      return processes.sent - before;
    };
    // In ten minutes, of one process and of many.
    for (const count of [1, 32]) {
      const notices = await sent(count);
      expect(notices).toBeGreaterThan(600 / 20);
      expect(notices).toBeLessThanOrEqual(600 / 10 + 1);
    }
  });

  it('are not sent by a process without a lock, which could not be watched', async () => {
    const processes = new Processes(clock, 1, false);
    processes.holding.add(0);
    await processes.start();
    await clock.advance(600_000);
    expect(processes.sent).toBe(0);
    expect(processes.notices[0]?.isDue).toBe(false);
  });
});
