import { beforeEach, describe, expect, it } from '@jest/globals';
import { Pacer } from '../../../lib/runtime/pacer.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let clock: ManualClock;
let backlog: number;
let stopped: number[];
let pacer: Pacer;
const over = new AbortController();
beforeEach(() => {
  clock = new ManualClock();
  backlog = 0;
  stopped = [];
  pacer = new Pacer({ clock, backlog: () => backlog, onStopped: (ms) => stopped.push(ms) });
});

describe('Pacer', () => {
  it.each([
    ['a fifth of the time beside other work', 1, 1_000],
    ['half of the time where nothing else waits', 0, 2_500],
  ])('works %s, whichever callers work', async (_name, waiting, expected) => {
    backlog = waiting;
    let worked = 0;
    const work = async (): Promise<void> => {
      await clock.sleep(100);
      worked += 100;
    };
    for (let n = 0; n < 50; n++) void pacer.run(work, over.signal);
    await clock.advance(0);
    await clock.advance(5_000);
    expect(worked).toBe(expected);
  });

  it.each([
    ['comes', 0, 1],
    ['goes', 1, 0],
  ])('pauses as beside other work if that %s during the work', async (_name, before, after) => {
    backlog = before;
    const done = pacer.run(async () => {
      await clock.sleep(10);
      backlog = after;
    }, over.signal);
    let began: number | undefined;
    const next = pacer.run(async () => void (began = clock.now()), over.signal);
    await clock.advance(0);
    await clock.advance(100);
    await Promise.all([done, next]);
    expect(began).toBe(50);
  });

  it('goes on after work that fails, with the same pause', async () => {
    const failed = pacer.run(async () => {
      await clock.sleep(10);
      throw new Error('no');
    }, over.signal);
    const told = expect(failed).rejects.toThrow('no');
    let began: number | undefined;
    const next = pacer.run(async () => void (began = clock.now()), over.signal);
    await clock.advance(0);
    await clock.advance(100);
    await told;
    await next;
    expect(began).toBe(20);
  });

  it('waits while the backlog grows, and no longer', async () => {
    backlog = 1_000;
    let began = -1;
    const done = pacer.run(async () => void (began = clock.now()), over.signal);
    await clock.advance(0);
    for (let n = 0; n < 10; n++) {
      backlog += 10;
      await clock.advance(100);
    }
    expect(began).toBe(-1);
    await clock.advance(300);
    await done;
    expect(began).toBeGreaterThan(900);
    expect(stopped).toEqual([]);
  });

  it('does not wait for a small backlog, and tells of one that grows for a minute', async () => {
    backlog = 20;
    await pacer.run(async () => undefined, over.signal);
    const done = pacer.run(async () => undefined, over.signal);
    backlog = 100;
    await clock.advance(0);
    for (let n = 0; n < 700; n++) {
      backlog += 60;
      await clock.advance(100);
    }
    expect(stopped).toHaveLength(1);
    await clock.advance(300);
    await done;
  });

  it('rejects what has not begun when its signal aborts', async () => {
    const aborted = new AbortController();
    const slow = pacer.run(() => clock.sleep(1_000), over.signal);
    let hasRun = false;
    const waiting = pacer.run(async () => void (hasRun = true), aborted.signal);
    let told: unknown;
    void waiting.catch((error: unknown) => (told = error));
    await clock.advance(0);
    aborted.abort(new Error('closed'));
    await clock.advance(0);
    // The slow work is still under way.
    expect(told).toEqual(new Error('closed'));
    await clock.advance(10_000);
    await slow;
    expect(hasRun).toBe(false);
  });

  it('lets work that has begun come to its end when its signal aborts', async () => {
    const aborted = new AbortController();
    const slow = pacer.run(async () => {
      await clock.sleep(1_000);
      return 'done';
    }, aborted.signal);
    await clock.advance(0);
    aborted.abort(new Error('closed'));
    await clock.advance(1_000);
    await expect(slow).resolves.toBe('done');
  });
});
