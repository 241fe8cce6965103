import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SessionSupervisor } from '../../../lib/engine/process/session-supervisor.js';
import type { ControlSession } from '../../../lib/store/port/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';

const SESSION: ControlSession = {
  epoch: 'life',
  lockSession: '1:2',
  close: () => Promise.resolve(),
};

/** A control connection whose attempts go as the test says. */
class Attempts {
  readonly at: number[] = [];
  /** Ends the session that was opened last. */
  lose: (error?: Error) => void = () => undefined;
  failure: Error | undefined;

  readonly liveness = new SessionSupervisor({
    clock: systemClock,
    open: (onLost) => {
      this.at.push(performance.now());
      this.lose = onLost;
      return this.failure === undefined ? Promise.resolve(SESSION) : Promise.reject(this.failure);
    },
    onLive: () => undefined,
    onLost: () => undefined,
  });

  /** Attempts in a span of time, in milliseconds. */
  between(from: number, to: number): number {
    return this.at.filter((at) => at >= from && at < to).length;
  }
}

let warnings: string[];
let attempts: Attempts;
beforeEach(async () => {
  jest.useFakeTimers();
  warnings = [];
  jest
    .spyOn(Logger.prototype, 'warn')
    .mockImplementation((message: unknown) => void warnings.push(String(message)));
  jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
  attempts = new Attempts();
  await attempts.liveness.start();
});
afterEach(async () => {
  await attempts.liveness.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('A control connection that was lost', () => {
  it('says why it does not come back, after two seconds and then once a minute', async () => {
    attempts.failure = new Error('password authentication failed for user "app"');
    attempts.lose(new Error('terminating connection'));
    await jest.advanceTimersByTimeAsync(1_500);
    expect(warnings).toEqual([expect.stringContaining('terminating connection')]);

    await jest.advanceTimersByTimeAsync(128_500);
    const later = warnings.slice(1);
    expect(later).toHaveLength(3);
    for (const warning of later) expect(warning).toContain('password authentication failed');
  });

  it('says nothing but that it was lost and is back, when the server restarts', async () => {
    attempts.failure = new Error('connect ECONNREFUSED');
    attempts.lose();
    await jest.advanceTimersByTimeAsync(1_500);
    attempts.failure = undefined;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(attempts.liveness.session).toBe(SESSION);
    expect(warnings).toHaveLength(1);
  });

  it('is tried often at first, and about once a second in the end', async () => {
    const lostAt = performance.now();
    attempts.failure = new Error('connect ECONNREFUSED');
    attempts.lose();
    await jest.advanceTimersByTimeAsync(120_000);
    const gaps = attempts.at.slice(2).map((at, i) => at - (attempts.at[i + 1] ?? 0));
    const inTwoSeconds = gaps.slice(0, attempts.between(lostAt, lostAt + 2_000));
    expect(Math.max(...inTwoSeconds)).toBeLessThanOrEqual(130);
    const inTheEnd = attempts.between(lostAt + 60_000, lostAt + 120_000);
    expect(inTheEnd).toBeGreaterThanOrEqual(59);
    expect(inTheEnd).toBeLessThanOrEqual(121);
  });

  it('is tried ever more calmly when each new one is lost again', async () => {
    const begun = performance.now();
    attempts.lose();
    for (let lives = 0; performance.now() < begun + 120_000; lives = attempts.at.length) {
      await jest.advanceTimersByTimeAsync(10);
      if (attempts.at.length > lives) attempts.lose();
    }
    expect(attempts.between(begun + 60_000, begun + 120_000)).toBeLessThanOrEqual(121);
  });

  it('is tried at once when it had lasted', async () => {
    for (let life = 0; life < 100; life++) {
      await jest.advanceTimersByTimeAsync(6_000);
      expect(attempts.liveness.session).toBe(SESSION);
      const lostAt = performance.now();
      attempts.lose();
      await jest.advanceTimersByTimeAsync(60);
      expect(attempts.between(lostAt, lostAt + 60)).toBe(1);
    }
  });
});

describe('A control connection that is lost before it is open', () => {
  it('is opened once by the next start: no second one is left open beside it', async () => {
    const open = new Set<ControlSession>();
    const pending: ((settle: 'open' | Error) => void)[] = [];
    const supervisor = new SessionSupervisor({
      clock: systemClock,
      open: (onLost) =>
        new Promise<ControlSession>((resolve, reject) => {
          pending.push((how) => {
            if (how !== 'open') {
              onLost(how);
              reject(how);
              return;
            }
            const session: ControlSession = {
              ...SESSION,
              close: () => {
                open.delete(session);
                return Promise.resolve();
              },
            };
            open.add(session);
            resolve(session);
          });
        }),
      onLive: () => undefined,
      onLost: () => undefined,
    });
    const first = supervisor.start();
    pending[0]?.(new Error('terminating connection'));
    await expect(first).rejects.toThrow('terminating');
    // A boot tries again, at once.
    const second = supervisor.start();
    await jest.advanceTimersByTimeAsync(1_000);
    for (const settle of pending.slice(1)) settle('open');
    await second;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(pending).toHaveLength(2);
    expect(open.size).toBe(1);
    await supervisor.stop();
    expect(open.size).toBe(0);
  });

  it('does not take the place of one that was opened after a stop', async () => {
    const closed: string[] = [];
    const pending: ((session: ControlSession) => void)[] = [];
    const supervisor = new SessionSupervisor<ControlSession>({
      clock: systemClock,
      open: () => new Promise((resolve) => pending.push(resolve)),
      onLive: () => undefined,
      onLost: () => undefined,
    });
    const named = (name: string): ControlSession => ({
      ...SESSION,
      lockSession: name,
      close: () => Promise.resolve(void closed.push(name)),
    });
    const first = supervisor.start();
    await supervisor.stop();
    const second = supervisor.start();
    pending[1]?.(named('new'));
    await second;
    pending[0]?.(named('old'));
    await first;
    expect(supervisor.session?.lockSession).toBe('new');
    expect(closed).toEqual(['old']);
    await supervisor.stop();
    expect(closed).toEqual(['old', 'new']);
  });
});
