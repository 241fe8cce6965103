import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CompletionWaiters } from '../../../lib/engine/completion/completion-waiters.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { waitFor } from '../../support/wait-for.js';
import { noLease, startOf } from '../../conformance/workflows.js';
import { EngineScene } from './engine-scene.js';

const START = { idempotencyKey: null, tags: null };
let scene: EngineScene;
let waiters: CompletionWaiters;
let isActive: boolean;
let hearsEnds: boolean;
beforeEach(() => {
  scene = new EngineScene();
  isActive = false;
  hearsEnds = true;
  waiters = new CompletionWaiters(
    scene.store,
    () => isActive,
    () => hearsEnds,
    systemClock,
  );
});

/** Resolves when the store has answered the first look of a wait, and the wait listens. */
async function looked(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise(setImmediate);
}

describe('CompletionWaiters', () => {
  it('ends a wait for what has ended, and for what is not there', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    expect(await waiters.wait(id).ended).toBe('ended');
    expect(await waiters.wait('none').ended).toBe('missing');
    expect(waiters.size).toBe(0);
  });

  it('marks what it waits for as awaited, and ends all waits when it is told', async () => {
    const id = await scene.start();
    const waits = Promise.all([waiters.wait(id).ended, waiters.wait(id).ended]);
    await looked();
    expect(waiters.isAwaited(id)).toBe(true);
    expect(await scene.store.cancel(id, null)).toMatchObject({ hasWaiters: true });
    waiters.ended(id);
    expect(await waits).toEqual(['ended', 'ended']);
    expect(waiters.isAwaited(id)).toBe(false);
  });

  it('is told while it looks', async () => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    waiters.recheck();
    waiters.ended(id);
    expect(await wait).toBe('ended');
  });

  it('knows that it was told of the end, though it is to look again', async () => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    waiters.ended(id);
    waiters.recheck();
    expect(await wait).toBe('ended');
  });

  it.each(['ownershipLost', 'recheck'] as const)('looks again after %s', async (reason) => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    await looked();
    await scene.store.cancel(id, null);
    waiters[reason](id);
    expect(await wait).toBe('ended');
  });

  it('does not ask about what this process works on, until it has no more claims there', async () => {
    isActive = true;
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    await looked();
    expect(await scene.store.cancel(id, null)).toMatchObject({ hasWaiters: false });
    isActive = false;
    waiters.ownershipLost(id);
    expect(await wait).toBe('ended');
  });

  it('ends when it is cancelled', async () => {
    const id = await scene.start();
    const [cancelled, other] = [waiters.wait(id), waiters.wait(id)];
    await looked();
    cancelled.cancel(new Error('enough'));
    await expect(cancelled.ended).rejects.toThrow('enough');
    expect(waiters.isAwaited(id)).toBe(true);
    waiters.ended(id);
    expect(await other.ended).toBe('ended');
  });

  it('ends when all are closed, and at once after that', async () => {
    const id = await scene.start();
    const waits = [waiters.wait(id), waiters.expect(id, START)];
    await looked();
    waiters.close(new Error('removed'));
    for (const { ended } of [...waits, waiters.wait(id)]) {
      await expect(ended).rejects.toThrow('removed');
    }
    expect(waiters.size).toBe(0);
  });

  it('of an expected execution is told of an end that comes before the answer to the start', async () => {
    const awaits = jest.spyOn(scene.store, 'await');
    const expected = waiters.expect('expected', START);
    await looked();
    waiters.ended('expected');
    expect(await expected.ended).toBe('ended');
    expect(awaits).not.toHaveBeenCalled();
  });

  it('of an expected execution reads nothing before the start is answered, however long that takes', async () => {
    const clock = new ManualClock();
    waiters = new CompletionWaiters(
      scene.store,
      () => isActive,
      () => hearsEnds,
      clock,
    );
    const expected = waiters.expect('00000000-0000-7000-8000-000000000000', START);
    let isOver = false;
    void expected.ended.then(() => (isOver = true));
    await clock.advance(60_000);
    waiters.recheck();
    waiters.ownershipLost(expected.id);
    await looked();
    expect(isOver).toBe(false);
    expected.stored(false);
    expect(await expected.ended).toBe('missing');
  });

  it('of an expected execution reads nothing if the start has stored that it waits', async () => {
    const looks = jest.spyOn(scene.store, 'awaitUnlocked');
    const expected = waiters.expect('expected', START);
    expected.stored(true);
    await looked();
    expect(looks).not.toHaveBeenCalled();
    waiters.ended('expected');
    expect(await expected.ended).toBe('ended');
  });

  it('looks by itself after a second, and then every five where it hears of no ends', async () => {
    hearsEnds = false;
    const clock = new ManualClock();
    waiters = new CompletionWaiters(
      scene.store,
      () => isActive,
      () => hearsEnds,
      clock,
    );
    const ids = [await scene.start(), await scene.start()];
    const waits = ids.map((id) => waiters.wait(id));
    await looked();
    await scene.store.cancel(ids[0]!, null);
    await clock.advance(1_000);
    expect(await waits[0]!.ended).toBe('ended');
    await looked();
    await scene.store.cancel(ids[1]!, null);
    await clock.advance(4_000);
    await looked();
    expect(waiters.size).toBe(1);
    await clock.advance(1_000);
    expect(await waits[1]!.ended).toBe('ended');
    expect(waiters.size).toBe(0);
  });

  it('looks more and more seldom where it hears of ends, with one timer for all waits', async () => {
    const clock = new ManualClock();
    waiters = new CompletionWaiters(
      scene.store,
      () => isActive,
      () => hearsEnds,
      clock,
    );
    const lookedAt: number[] = [];
    const real = scene.store.awaitUnlocked.bind(scene.store);
    scene.store.awaitUnlocked = (ids) => {
      lookedAt.push(Math.round(clock.now() / 1_000));
      return real(ids);
    };
    const timers = jest.spyOn(clock, 'timer');
    const intervals = jest.spyOn(clock, 'interval');
    const began = Math.round(clock.now() / 1_000);
    for (let n = 0; n < 3; n++) waiters.wait(await scene.start());
    await looked();
    for (let second = 0; second < 190; second++) {
      await clock.advance(1_000);
      await looked();
    }
    expect(lookedAt.map((at) => at - began)).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
    expect(timers).not.toHaveBeenCalled();
    expect(intervals).toHaveBeenCalledTimes(1);
  });

  it('asks in twenty statements for ten thousand executions, and in none until the next look', async () => {
    const clock = new ManualClock();
    waiters = new CompletionWaiters(
      scene.store,
      () => isActive,
      () => hearsEnds,
      clock,
    );
    const items = Array.from({ length: 10_000 }, () => startOf(scene.definition));
    await scene.store.start(items, noLease(), false);
    const ids = items.map(({ id }) => id);
    const looks = jest.spyOn(scene.store, 'awaitUnlocked');
    const alone = jest.spyOn(scene.store, 'await');
    const waits = ids.map((id) => waiters.wait(id).ended);
    await waitFor(() => looks.mock.calls.length === 20, { every: 1 });
    await looked();
    await clock.advance(999);
    await looked();
    expect(looks).toHaveBeenCalledTimes(20);
    await clock.advance(1);
    await waitFor(() => looks.mock.calls.length === 40, { every: 1 });
    await looked();
    await clock.advance(1_000);
    await looked();
    expect(looks).toHaveBeenCalledTimes(40);
    expect(alone).not.toHaveBeenCalled();
    for (const id of ids) waiters.ended(id);
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['ended']));
    expect(looks).toHaveBeenCalledTimes(40);
  });

  it('asks nothing, however long it takes, while this process works on ten thousand executions', async () => {
    const clock = new ManualClock();
    isActive = true;
    waiters = new CompletionWaiters(
      scene.store,
      () => isActive,
      () => hearsEnds,
      clock,
    );
    const looks = jest.spyOn(scene.store, 'awaitUnlocked');
    for (let n = 0; n < 10_000; n++) waiters.wait(`execution ${n}`);
    await clock.advance(60_000);
    await looked();
    expect(waiters.size).toBe(10_000);
    expect(looks).not.toHaveBeenCalled();
  });

  it('asks again after a conflict', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    scene.failNext('await', new MemoryFailure('conflict', 'locked'));
    expect(await waiters.wait(id).ended).toBe('ended');
  });

  it('waits on while the database is away, and looks when it is told to', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    scene.failNext('await', new MemoryFailure('connection', 'away'));
    const wait = waiters.wait(id).ended;
    await looked();
    waiters.recheck();
    expect(await wait).toBe('ended');
  });

  it('rejects when the database refuses to tell', async () => {
    const id = await scene.start();
    scene.failNext('await', new MemoryFailure('refused', 'no right'));
    await expect(waiters.wait(id).ended).rejects.toThrow('no right');
    expect(waiters.size).toBe(0);
  });

  it('asks about many in one statement, and alone about those that it did not get', async () => {
    const ids = [await scene.start(), await scene.start()];
    for (const id of ids) await scene.store.cancel(id, null);
    const asked: (readonly string[])[] = [];
    const real = scene.store.awaitUnlocked.bind(scene.store);
    scene.store.awaitUnlocked = async (of) => {
      asked.push(of);
      const found = new Map(await real(of));
      // Another session has the first one locked.
      if (of.length > 1) found.delete(ids[0]!);
      return found;
    };
    const waits = [ids[0]!, ids[1]!, ids[1]!].map((id) => waiters.wait(id).ended);
    expect(await Promise.all(waits)).toEqual(['ended', 'ended', 'ended']);
    expect(asked).toEqual([ids, [ids[0]]]);
  });

  it('asks alone about each where it could not ask about many', async () => {
    const ids = [await scene.start(), await scene.start()];
    for (const id of ids) await scene.store.cancel(id, null);
    const real = scene.store.awaitUnlocked.bind(scene.store);
    scene.store.awaitUnlocked = (of) =>
      of.length > 1 ? Promise.reject(new MemoryFailure('conflict', 'locked')) : real(of);
    expect(await Promise.all(ids.map((id) => waiters.wait(id).ended))).toEqual(['ended', 'ended']);
  });
});
