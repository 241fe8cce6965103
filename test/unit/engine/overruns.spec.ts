import { beforeEach, describe, expect, it } from '@jest/globals';
import { Attempt, type AttemptListener } from '../../../lib/engine/execution/attempt.js';
import { Overruns } from '../../../lib/engine/execution/overruns.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import { EngineScene } from './engine-scene.js';

const GRACE_MS = 60_000;
const REPORT_MS = 5_000;
const UNHEARD: AttemptListener = {
  timedOut: () => undefined,
  concluded: () => undefined,
  aborted: () => undefined,
  returned: () => undefined,
};

let scene: EngineScene;
let queue: TenantQueue;
let overruns: Overruns;
/** Attempts whose slot was freed, in order. */
let freed: Attempt[];
beforeEach(() => {
  scene = new EngineScene();
  queue = new SlotScheduler(1, scene.clock).createQueue(1, () => undefined);
  freed = [];
  overruns = new Overruns({
    clock: scene.clock,
    tenant: 't',
    graceMs: GRACE_MS,
    queue,
    ended: scene.note('ended'),
  });
});

async function attempted(): Promise<Attempt> {
  const [claim] = await scene.running();
  return attemptOf(claim!);
}

function attemptOf(claim: Attempt['claim']): Attempt {
  const input = claim.cache.inputOf(0);
  const attempt: Attempt = new Attempt(
    claim,
    input,
    UNHEARD,
    () => freed.push(attempt),
    scene.clock,
  );
  return attempt;
}

describe('Overruns', () => {
  it('frees the slot of a handler that ignores its signal, and still counts the handler', async () => {
    const attempt = await attempted();
    overruns.aborted(attempt);
    expect(overruns.hungHandlers()).toEqual([]);
    await scene.clock.advance(REPORT_MS);
    expect(overruns.hungHandlers()).toMatchObject([{ ignoredForMs: REPORT_MS, keepsSlot: true }]);
    await scene.clock.advance(GRACE_MS - REPORT_MS);
    expect(overruns.hungHandlers()).toMatchObject([{ ignoredForMs: GRACE_MS, keepsSlot: false }]);
    expect([freed, queue.abandonedHandlers]).toEqual([[attempt], 1]);
    overruns.returned(attempt);
    expect([overruns.hungHandlers(), queue.abandonedHandlers]).toEqual([[], 0]);
  });

  it('forgets a handler that returns in time', async () => {
    const attempt = await attempted();
    overruns.aborted(attempt);
    await scene.clock.advance(REPORT_MS);
    overruns.returned(attempt);
    expect([scene.clock.waiting, queue.abandonedHandlers]).toEqual([0, 0]);
    expect([freed, overruns.hungHandlers()]).toEqual([[], []]);
  });

  it('gives up ten handlers for each slot at most, and the next one when one of them returns', async () => {
    const attempts: Attempt[] = [];
    for (let n = 0; n < 12; n++) attempts.push(await attempted());
    for (const attempt of attempts) overruns.aborted(attempt);
    await scene.clock.advance(GRACE_MS);
    expect(freed).toEqual(attempts.slice(0, 10));
    expect(overruns.hungHandlers().filter(({ keepsSlot }) => keepsSlot)).toHaveLength(2);
    overruns.returned(attempts[0]!);
    expect(freed).toEqual(attempts.slice(0, 11));
    expect(queue.abandonedHandlers).toBe(10);
  });

  it('lets the task begin again once its handler was given up', async () => {
    const attempt = await attempted();
    const { claim } = attempt;
    overruns.timedOut(attempt);
    overruns.aborted(attempt);
    expect(overruns.earlierOf(claim)).toBe(attempt);
    await scene.clock.advance(GRACE_MS);
    expect([overruns.earlierOf(claim), scene.called]).toEqual([undefined, ['ended']]);
  });

  it('lets no claim wait for a handler that ignores its signal, however long the grace is', async () => {
    const attempt = await attempted();
    overruns.timedOut(attempt);
    overruns.aborted(attempt);
    attempt.afterRelease(scene.note('released'), scene.note('kept'));
    await scene.clock.advance(REPORT_MS);
    attempt.afterRelease(scene.note('released later'), scene.note('kept later'));
    await scene.clock.advance(GRACE_MS);
    expect(scene.called).toEqual(['kept', 'kept later', 'ended']);
  });

  it('remembers the later attempt of a task when an earlier one returns at last', async () => {
    const earlier = await attempted();
    const { claim } = earlier;
    overruns.timedOut(earlier);
    overruns.aborted(earlier);
    await scene.clock.advance(GRACE_MS);
    const later = attemptOf(claim);
    overruns.timedOut(later);
    overruns.returned(earlier);
    expect(overruns.earlierOf(claim)).toBe(later);
  });
});
