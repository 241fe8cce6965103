import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CompletionWaiters } from '../../../lib/engine/completion/completion-waiters.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let waiters: CompletionWaiters;
let isActive: boolean;
beforeEach(() => {
  scene = new EngineScene();
  isActive = false;
  waiters = new CompletionWaiters(scene.store, () => isActive, systemClock);
});

/** Resolves when the store has answered the first look of a wait, and the wait listens. */
async function looked(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise(setImmediate);
}

describe('CompletionWaiters', () => {
  it('ends a wait for what has ended, and for what is not there', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    expect(await waiters.wait(id).ended).toBe(true);
    expect(await waiters.wait('none').ended).toBe(false);
    expect(waiters.size).toBe(0);
  });

  it('marks what it waits for as awaited, and ends all waits when it is told', async () => {
    const id = await scene.start();
    const waits = Promise.all([waiters.wait(id).ended, waiters.wait(id).ended]);
    await looked();
    expect(waiters.isAwaited(id)).toBe(true);
    expect(await scene.store.cancel(id, null)).toMatchObject({ hasWaiters: true });
    waiters.ended(id);
    expect(await waits).toEqual([true, true]);
    expect(waiters.isAwaited(id)).toBe(false);
  });

  it('is told while it looks', async () => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    waiters.recheck();
    waiters.ended(id);
    expect(await wait).toBe(true);
  });

  it('knows that it was told of the end, though it is to look again', async () => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    waiters.ended(id);
    waiters.recheck();
    expect(await wait).toBe(true);
  });

  it.each(['ownershipLost', 'recheck'] as const)('looks again after %s', async (reason) => {
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    await looked();
    await scene.store.cancel(id, null);
    waiters[reason](id);
    expect(await wait).toBe(true);
  });

  it('does not ask about what this process works on, until it has no more claims there', async () => {
    isActive = true;
    const id = await scene.start();
    const wait = waiters.wait(id).ended;
    await looked();
    expect(await scene.store.cancel(id, null)).toMatchObject({ hasWaiters: false });
    isActive = false;
    waiters.ownershipLost(id);
    expect(await wait).toBe(true);
  });

  it('ends when it is cancelled', async () => {
    const id = await scene.start();
    const [cancelled, other] = [waiters.wait(id), waiters.wait(id)];
    await looked();
    cancelled.cancel(new Error('enough'));
    await expect(cancelled.ended).rejects.toThrow('enough');
    expect(waiters.isAwaited(id)).toBe(true);
    waiters.ended(id);
    expect(await other.ended).toBe(true);
  });

  it('ends when all are closed, and at once after that', async () => {
    const id = await scene.start();
    const waits = [waiters.wait(id), waiters.expect(id)];
    await looked();
    waiters.close(new Error('removed'));
    for (const { ended } of [...waits, waiters.wait(id)]) {
      await expect(ended).rejects.toThrow('removed');
    }
    expect(waiters.size).toBe(0);
  });

  it('of an expected execution is told of an end that comes before the answer to the start', async () => {
    const awaits = jest.spyOn(scene.store, 'await');
    const expected = waiters.expect('expected');
    await looked();
    waiters.ended('expected');
    expect(await expected.ended).toBe(true);
    expect(awaits).not.toHaveBeenCalled();
  });

  it('of an expected execution reads nothing before the start is answered, however long that takes', async () => {
    const clock = new ManualClock();
    waiters = new CompletionWaiters(scene.store, () => isActive, clock);
    const expected = waiters.expect('00000000-0000-7000-8000-000000000000');
    let isOver = false;
    void expected.ended.then(() => (isOver = true));
    await clock.advance(60_000);
    waiters.recheck();
    waiters.ownershipLost(expected.id);
    await looked();
    expect(isOver).toBe(false);
    expected.stored();
    expect(await expected.ended).toBe(false);
  });

  it('looks by itself after a second, and then every five, with one timer for all', async () => {
    const clock = new ManualClock();
    waiters = new CompletionWaiters(scene.store, () => isActive, clock);
    const ids = [await scene.start(), await scene.start()];
    const waits = ids.map((id) => waiters.wait(id));
    await looked();
    await scene.store.cancel(ids[0]!, null);
    await clock.advance(1_000);
    expect(await waits[0]!.ended).toBe(true);
    await looked();
    await scene.store.cancel(ids[1]!, null);
    await clock.advance(4_000);
    await looked();
    expect(waiters.size).toBe(1);
    await clock.advance(1_000);
    expect(await waits[1]!.ended).toBe(true);
    expect(waiters.size).toBe(0);
  });

  it('asks again after a conflict', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    scene.failNext('await', new MemoryFailure('conflict', 'locked'));
    expect(await waiters.wait(id).ended).toBe(true);
  });

  it('waits on while the database is away, and looks when it is told to', async () => {
    const id = await scene.start();
    await scene.store.cancel(id, null);
    scene.failNext('await', new MemoryFailure('connection', 'away'));
    const wait = waiters.wait(id).ended;
    await looked();
    waiters.recheck();
    expect(await wait).toBe(true);
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
    expect(await Promise.all(waits)).toEqual([true, true, true]);
    expect(asked).toEqual([ids, [ids[0]]]);
  });

  it('asks alone about each where it could not ask about many', async () => {
    const ids = [await scene.start(), await scene.start()];
    for (const id of ids) await scene.store.cancel(id, null);
    const real = scene.store.awaitUnlocked.bind(scene.store);
    scene.store.awaitUnlocked = (of) =>
      of.length > 1 ? Promise.reject(new MemoryFailure('conflict', 'locked')) : real(of);
    expect(await Promise.all(ids.map((id) => waiters.wait(id).ended))).toEqual([true, true]);
  });
});
