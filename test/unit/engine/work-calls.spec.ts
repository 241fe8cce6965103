import { beforeEach, describe, expect, it } from '@jest/globals';
import { tagOf, type Notification } from '../../../lib/engine/process/notification.js';
import { WorkCalls } from '../../../lib/engine/process/work-calls.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const TENANT = '0123456789abcdef';
const ALL = { kind: 'work', tenant: TENANT } as const;

let clock: ManualClock;
let calls: WorkCalls;
let peers: string[];
let sent: Notification[];
/** Time since the first due task became due, in milliseconds. */
let overdueMs: number | undefined;
let looks: number;
/** How often other processes were asked to watch this one. */
let asked: number;
beforeEach(() => {
  clock = new ManualClock({ chance: 0 });
  [peers, sent, overdueMs] = [['a', 'b', 'c', 'd', 'e', 'f'], [], undefined];
  [looks, asked] = [0, 0];
  calls = new WorkCalls({
    clock,
    send: (notification) => sent.push(notification),
    peers: () => peers,
    askForWatch: () => asked++,
    overdueMs: async () => {
      looks++;
      return overdueMs;
    },
  });
});

const named = (...locks: string[]): Notification => ({ ...ALL, named: locks.map(tagOf) });

async function call(tasks: number, perProcess?: number): Promise<void> {
  calls.call(TENANT, { tasks, perProcess });
  await clock.advance(0);
}

describe('WorkCalls', () => {
  it('names as many processes as there is work for', async () => {
    await call(1, 10);
    expect(sent).toEqual([named('a')]);
    // Only this process looks what became of it.
    expect(asked).toBe(1);
    await clock.advance(50);
    await call(21, 10);
    expect(sent.slice(1)).toEqual([named('a', 'b', 'c')]);
  });

  it('counts together what is left in one turn', async () => {
    for (let n = 0; n < 20; n++) calls.call(TENANT, { tasks: 1, perProcess: 10 });
    await clock.advance(0);
    expect(sent).toEqual([named('a', 'b')]);
  });

  it('wakes two where it is unknown how long tasks take', async () => {
    await call(300);
    expect(sent).toEqual([named('a', 'b')]);
  });

  it('chooses by chance', async () => {
    clock = new ManualClock({ chance: 0.5 });
    const chosen: Notification[] = [];
    const parts = { clock, peers: () => peers, overdueMs: async () => undefined };
    const askForWatch = (): void => undefined;
    new WorkCalls({ ...parts, askForWatch, send: (one) => chosen.push(one) }).call(TENANT, {
      tasks: 2,
      perProcess: 1,
    });
    await clock.advance(0);
    expect(chosen).toEqual([named('d', 'c')]);
  });

  it.each([
    ['there is work for more than can be named', 6, 50],
    ['there is work for all that are known', 2, 20],
    ['no other process is known', 0, 1],
  ])('wakes all where %s', async (_, known, tasks) => {
    peers = peers.slice(0, known);
    await call(tasks, 10);
    expect(sent).toEqual([ALL]);
    await clock.advance(10_000);
    expect([sent.length, looks, asked]).toEqual([1, 0, 0]);
  });

  it('calls at once, and then once in 50 ms for each tenant', async () => {
    for (let n = 0; n < 5; n++) await call(10, 10);
    expect(sent).toEqual([named('a')]);
    await clock.advance(49);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent.slice(1)).toEqual([named('a', 'b', 'c', 'd')]);
    await clock.advance(10_000);
    expect([sent.length, clock.waiting]).toEqual([2, 0]);
  });

  it('wakes all where the work is still there, and looks again at growing intervals', async () => {
    await call(1, 10);
    await clock.advance(49);
    expect([sent.length, looks]).toEqual([1, 0]);
    overdueMs = 50;
    await clock.advance(1);
    expect([sent.slice(1), looks]).toEqual([[ALL], 1]);
    overdueMs = 10_000;
    await clock.advance(60_000);
    expect([sent.length, looks, clock.waiting]).toEqual([7, 6, 0]);
  });

  it('looks again after a wake-up that came just before a look', async () => {
    await call(1, 10);
    await call(1, 10);
    overdueMs = 0;
    await clock.advance(50);
    expect([sent.length, looks]).toEqual([2, 1]);
    overdueMs = 50;
    await clock.advance(50);
    expect([sent.slice(2), looks]).toEqual([[ALL], 2]);
  });

  it('notices what waits although its timer was early', async () => {
    const timer = clock.timer.bind(clock);
    clock.timer = (callback, ms) => timer(callback, ms - 20);
    overdueMs = 30;
    await call(1, 10);
    await clock.advance(30);
    expect(sent).toEqual([named('a'), ALL]);
  });

  it('does not name a process again for a while that did not take the work', async () => {
    await call(1, 10);
    overdueMs = 50;
    await clock.advance(50);
    overdueMs = undefined;
    await clock.advance(1_000);
    sent.length = 0;
    await call(1, 10);
    await clock.advance(10_000);
    await call(1, 10);
    expect(sent).toEqual([named('b'), named('a')]);
  });

  it('wakes no other process where the work was taken, or where what waits now came later', async () => {
    for (const since of [undefined, 10]) {
      overdueMs = since;
      await call(1, 10);
      await clock.advance(10_000);
    }
    expect([sent, looks, clock.waiting]).toEqual([[named('a'), named('a')], 2, 0]);
  });

  it('does not name a process again for a while that passed a wake-up on', async () => {
    calls.passedOn(TENANT, tagOf('a'));
    await call(1, 10);
    expect(sent).toEqual([named('b')]);
    peers = ['a'];
    await clock.advance(50);
    await call(1, 10);
    expect(sent.at(-1)).toEqual(ALL);
  });

  it('keeps no name that is not that of a living process', async () => {
    for (let n = 0; n < 1_000; n++) calls.passedOn(TENANT, tagOf(`forged ${n}`));
    const unable = Reflect.get(Reflect.get(calls, 'unable') as object, 'until') as Map<
      string,
      unknown
    >;
    expect(unable.size).toBe(0);
  });

  it('sets no timer for a tenant that is gone, or after its end', async () => {
    await call(1, 10);
    await call(1, 10);
    calls.clear(TENANT);
    expect(clock.waiting).toBe(0);
    await call(1, 10);
    await call(1, 10);
    calls.close();
    await clock.advance(10_000);
    expect([sent.length, looks]).toEqual([2, 0]);
  });
});
