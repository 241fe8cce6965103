import { beforeEach, describe, expect, it } from '@jest/globals';
import { TaskRescheduler } from '../../../lib/engine/claims/task-rescheduler.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene, registered } from './engine-scene.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { tasksOf } from '../../conformance/tasks-of.js';

let scene: EngineScene;
let rescheduler: TaskRescheduler;
beforeEach(() => {
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }]));
  rescheduler = new TaskRescheduler(scene.store, scene.claims, systemClock);
});

const back = { kind: 'giveBack', delayMs: 0 } as const;

describe('TaskRescheduler', () => {
  it('gives a claim back, and releases it', async () => {
    const [claim] = await scene.running();
    const given = rescheduler.reschedule({ claim: claim!, kind: 'defer', delayMs: 5_000 });
    expect(rescheduler.isBusy).toBe(true);
    expect(await given).toBe('ended');
    await rescheduler.whenIdle();
    expect(rescheduler.isBusy).toBe(false);
    expect([scene.claims.holds(claim!), claim!.lost]).toEqual([false, false]);
    const [task] = await tasksOf(scene.store, [claim!.executionId]);
    const runAt = new Date(scene.clock.wallTime() + 5_000);
    expect(task).toMatchObject({ status: 'Ready', deferred: true, attempt: 0, runAt });
  });

  it('loses a claim that is not held any more', async () => {
    const [claim] = await scene.running();
    await scene.takeAway();
    expect(await rescheduler.reschedule({ claim: claim!, ...back })).toBe('refused');
    expect([scene.claims.holds(claim!), claim!.lost]).toEqual([false, true]);
  });

  it('sends what comes together in lock order, and tells each how its own went', async () => {
    const later = await scene.running();
    const [taken] = await scene.running();
    await scene.store.cancel(taken!.executionId, null);
    const sent: string[][] = [];
    const { store } = scene;
    const real = store.reschedule.bind(store);
    store.reschedule = (items) => {
      sent.push(items.map(({ executionId, taskNo }) => `${executionId}/${taskNo}`));
      return real(items);
    };
    const claims = [taken!, later[1]!, later[0]!];
    const held = await Promise.all(
      claims.map((claim) => rescheduler.reschedule({ claim, ...back })),
    );
    expect(held).toEqual(['refused', 'ended', 'ended']);
    expect(sent).toEqual([claims.map(({ key }) => key).toSorted()]);
  });

  it('sends again after a lost reply; what was written then is refused, and given back all the same', async () => {
    const [claim] = await scene.running();
    const away = new MemoryFailure('connection', 'lost', { mayBeWritten: true });
    scene.failNext('reschedule', away, { executed: true });
    expect(await rescheduler.reschedule({ claim: claim!, ...back })).toBe('refused');
    expect(await scene.statusesOf(claim!.executionId)).toEqual(['Ready', 'Running']);
  });

  it('rejects the item that cannot be stored, and gives the others back', async () => {
    const [first, second] = await scene.running();
    const bad = { claim: first!, kind: 'retry', delayMs: 0, error: { message: '\0' } } as const;
    const given = await Promise.allSettled([
      rescheduler.reschedule(bad),
      rescheduler.reschedule({ claim: second!, ...back }),
    ]);
    expect(given).toMatchObject([
      { status: 'rejected', reason: { kind: 'data' } },
      { status: 'fulfilled', value: 'ended' },
    ]);
    expect(scene.claims.holds(first!)).toBe(true);
  });

  it('waits for a database that is away, until it is closed', async () => {
    const [claim] = await scene.running();
    scene.store.reschedule = () => Promise.reject(new MemoryFailure('connection', 'away'));
    const given = rescheduler.reschedule({ claim: claim!, ...back });
    rescheduler.close();
    await expect(given).rejects.toThrow('away');
    expect(scene.claims.holds(claim!)).toBe(true);
  });
});
