import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Claimer } from '../../../lib/engine/claims/claimer.js';
import type { ClaimChoice, TaskKey } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let claimer: Claimer;
let adopted: string[];
/** Room that a claimed task takes. */
let taskRoom: number;
let except: TaskKey[];
/** Pauses after which it wants to look again, in milliseconds. */
let pauses: number[];
let choices: (ClaimChoice | undefined)[];
/** How many tasks each statement may claim. */
let rooms: number[];
beforeEach(async () => {
  scene = new EngineScene(registered([{ name: 'a' }]));
  await scene.catalog.open();
  [adopted, except, pauses, choices, rooms] = [[], [], [], [], []];
  taskRoom = 0;
  const claim = scene.store.claim.bind(scene.store);
  scene.store.claim = (...args) => {
    choices.push(args[4]);
    rooms.push(args[2]);
    return claim(...args);
  };
  claimer = createClaimer();
  scene.stateChanged = () => claimer.stateChanged();
});
afterEach(() => void jest.restoreAllMocks());

function createClaimer(): Claimer {
  return new Claimer({
    clock: scene.clock,
    tenant: 't',
    state: scene.state,
    store: scene.store,
    catalog: scene.catalog,
    queue: scene.queue,
    gate: scene.gate,
    except: () => except,
    consequences: {
      adopt: ({ executionId }) => {
        adopted.push(executionId);
        scene.queue.occupy(taskRoom);
      },
      reconcile: scene.note('reconcile'),
      tryAgainIn: (ms) => pauses.push(ms),
      foundNothing: scene.note('foundNothing'),
      leftReady: scene.note('leftReady'),
      cannotClaim: scene.note('cannotClaim'),
    },
  });
}

async function waiting(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await scene.start({ claims: 0, priority: -n }));
  return ids;
}

describe('Claimer', () => {
  it('claims nothing before it may, and what waits once it may', async () => {
    const ids = await waiting(2);
    claimer.claimAvailable();
    expect([claimer.isClaiming, choices.length]).toEqual([false, 0]);
    scene.state.on('live');
    expect(claimer.isClaiming).toBe(true);
    await claimer.whenIdle();
    expect(adopted).toEqual(ids);
    expect([claimer.isClaiming, scene.queue.reserved, scene.lease.isHeld]).toEqual([
      false,
      0,
      true,
    ]);
  });

  it('does not look when it is allowed to and there was no reason', async () => {
    scene.state.on('live');
    expect(claimer.isClaiming).toBe(false);
    scene.state.on('away');
    scene.state.on('live');
    await claimer.whenIdle();
    expect(choices).toEqual([]);
  });

  it('tells when it finds nothing', async () => {
    scene.state.on('live');
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(scene.called).toEqual(['foundNothing']);
    expect(scene.inFlight.isBusy).toBe(false);
  });

  it('remembers that work waits while it has no room for any', async () => {
    scene.state.on('live');
    scene.queue.occupy(10);
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect([choices.length, scene.queue.hasBacklog]).toEqual([0, true]);
  });

  it('claims as long as there is room, and tells others what it leaves', async () => {
    const ids = await waiting(12);
    taskRoom = 1;
    scene.state.on('live');
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(adopted).toEqual(ids.slice(0, 10));
    expect(scene.called).toEqual(['leftReady']);
    expect(scene.queue.hasBacklog).toBe(true);
  });

  it('takes half of the room for a look, and all that is left once it finds work', async () => {
    const ids = await waiting(7);
    taskRoom = 1;
    scene.state.on('live');
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(adopted).toEqual(ids);
    expect(rooms).toEqual([5, 5]);
    expect([scene.called, scene.queue.hasBacklog]).toEqual([[], false]);
  });

  it('claims a backlog of short tasks in large batches', async () => {
    await waiting(40);
    taskRoom = 1;
    scene.state.on('live');
    scene.queue.observe(10);
    expect(scene.queue.capacity).toBe(30);
    claimer.claimAvailable();
    await claimer.whenIdle();
    // Half of the room for the look, then what is left of it.
    expect(rooms).toEqual([15, 15]);
    for (let ended = 1; ended <= 9; ended++) {
      scene.queue.occupy(-1);
      claimer.claimAvailable();
      await claimer.whenIdle();
    }
    expect(rooms).toHaveLength(2);
    scene.queue.occupy(-1);
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(rooms).toEqual([15, 15, 10]);
  });

  it('takes all the room where it is named for work, and half of it where all are woken', async () => {
    scene.state.on('live');
    expect(claimer.wake(true)).toBe(true);
    await claimer.whenIdle();
    expect(claimer.wake(false)).toBe(true);
    await claimer.whenIdle();
    expect(rooms).toEqual([10, 5]);
  });

  it('says that it takes no work while it may not claim', async () => {
    expect(claimer.wake(true)).toBe(false);
    scene.state.on('live');
    await claimer.whenIdle();
    expect(rooms).toEqual([5]);
  });

  it('looks once more when there was a reason while it claimed', async () => {
    scene.state.on('live');
    claimer.claimAvailable();
    const [id] = await waiting(1);
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(adopted).toEqual([id]);
  });

  it('remembers work that came during a claim, and for which there is no room after it', async () => {
    scene.state.on('live');
    claimer.claimAvailable();
    // A start does not claim, because it has no room: its reply comes before that of the claim.
    scene.queue.hasBacklog = true;
    claimer.claimAvailable();
    scene.queue.occupy(10);
    await claimer.whenIdle();
    expect([rooms.length, scene.queue.hasBacklog]).toEqual([1, true]);
  });

  it('makes up for work that came during a claim after which it may not claim', async () => {
    scene.state.on('live');
    claimer.claimAvailable();
    claimer.claimAvailable();
    scene.state.beginRelease();
    await claimer.whenIdle();
    const [id] = await waiting(1);
    scene.state.endRelease();
    await claimer.whenIdle();
    expect(adopted).toEqual([id]);
  });

  it.each([
    ['a time without the server', () => scene.state.on('away'), () => scene.state.on('live')],
    ['a release', () => scene.state.beginRelease(), () => scene.state.endRelease()],
  ])('keeps a known backlog over %s', async (_, begin, end) => {
    const [id] = await waiting(1);
    scene.state.on('live');
    scene.queue.hasBacklog = true;
    begin();
    expect(scene.queue.hasBacklog).toBe(false);
    end();
    await claimer.whenIdle();
    expect(adopted).toEqual([id]);
  });

  it('leaves out what must not begin here', async () => {
    const ids = await waiting(2);
    except = [{ executionId: ids[0]!, taskNo: 0, itemNo: 0 }];
    scene.state.on('live');
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(adopted).toEqual(ids.slice(1));
  });

  it('compares its claims and looks again soon after a database that was away', async () => {
    await waiting(1);
    scene.failNext('claim', new MemoryFailure('connection', 'away', { mayBeWritten: true }));
    scene.state.on('live');
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(scene.called).toEqual(['reconcile', 'cannotClaim']);
    expect(pauses).toHaveLength(1);
    expect([claimer.isClaiming, scene.queue.reserved, scene.inFlight.isBusy]).toEqual([
      false,
      0,
      false,
    ]);
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(adopted).toHaveLength(1);
  });

  it('waits twice as long after each refusal, half a minute at most, and from the start after a success', async () => {
    scene.state.on('live');
    for (let n = 0; n < 9; n++) {
      scene.failNext('claim', new MemoryFailure('refused', 'no right'));
      claimer.claimAvailable();
      await claimer.whenIdle();
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    claimer.claimAvailable();
    await claimer.whenIdle();
    scene.failNext('claim', new MemoryFailure('refused', 'no right'));
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(pauses.at(-1)).toBe(250);
  });

  it('waits a second at most after each conflict', async () => {
    scene.state.on('live');
    for (let n = 0; n < 4; n++) {
      scene.failNext('claim', new MemoryFailure('conflict', 'deadlock'));
      claimer.claimAvailable();
      await claimer.whenIdle();
    }
    expect(pauses).toEqual([250, 500, 1_000, 1_000]);
  });

  it('reports a refusal once, and the next one after a success', async () => {
    const report = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const refuse = async (): Promise<void> => {
      scene.failNext('claim', new MemoryFailure('refused', 'no right'));
      claimer.claimAvailable();
      await claimer.whenIdle();
    };
    scene.state.on('live');
    await refuse();
    await refuse();
    expect(report.mock.calls).toEqual([[expect.stringContaining('no right')]]);
    claimer.claimAvailable();
    await claimer.whenIdle();
    await refuse();
    expect(report).toHaveBeenCalledTimes(2);
  });

  it('passes by locked executions after it waited for one in vain, and looks for those again', async () => {
    scene.state.on('live');
    const locked = new MemoryFailure('conflict', 'locked', { isLockTimeout: true });
    scene.failNext('claim', locked);
    claimer.claimAvailable();
    await claimer.whenIdle();
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(choices.map((choice) => choice?.pastLocks)).toEqual([true]);
    expect(pauses).toEqual([250, 1_000]);
  });

  it('asks for nothing before it knows a definition that it has handlers for', async () => {
    scene = new EngineScene();
    claimer = createClaimer();
    scene.stateChanged = () => claimer.stateChanged();
    scene.store.claim = () => Promise.reject(new Error('nothing is to be claimed'));
    scene.state.on('live');
    scene.queue.hasBacklog = true;
    claimer.claimAvailable();
    await claimer.whenIdle();
    expect(scene.called).toEqual([]);
  });
});
