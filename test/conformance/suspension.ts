import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type Reschedule, type TaskKey } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { noLease, parallel, rescheduleOf } from './workflows.js';

const HOUR = 3_600_000;

export function describeSuspension(tested: TestedStore): void {
  const worker = tested.worker();
  let id: string;
  let key: TaskKey;
  let definitionId: string;
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    id = await worker.startOne(parallel(1, { definitionId, timeoutMs: HOUR }));
    key = { executionId: id, taskNo: 0, itemNo: 0 };
  });

  const suspend = async (options: Partial<Reschedule> = {}): Promise<unknown> => {
    const { claim_token: token } = await tested.taskOf(id, 0);
    const item = rescheduleOf('suspend', id, 0, { token, delayMs: null, ...options });
    return (await tested.store.reschedule([item]))[0];
  };
  const claim = () => worker.claim([definitionId], 1);

  test('a task that waits to be woken has no claim, and is not claimed', async () => {
    expect(await suspend()).toBe('ended');
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Waiting',
      owner: null,
      claim_token: FIRST_TOKEN + 1,
      run_at: null,
      attempt: 0,
      attempts: null,
      error: null,
    });
    expect(await claim()).toEqual([]);
    expect((await tested.rowsOf(id)).events).toEqual([]);
  });

  test('with a time limit, it is claimed when the time is over', async () => {
    await suspend({ delayMs: HOUR });
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Waiting',
      run_at: expect.any(Date),
    });
    expect(await claim()).toEqual([]);
    await tested.behind.changeTask(id, 0, { runInMs: 0 });
    expect(await claim()).toEqual([expect.objectContaining({ executionId: id, attempt: 0 })]);
    expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Running', run_at: null });
  });

  test('a wake-up makes it due, and the claim tells the number of wake-ups', async () => {
    await suspend({ delayMs: HOUR });
    expect(await tested.store.wake([key])).toEqual([{ ...key, isDue: true }]);
    expect(await tested.store.wake([key])).toEqual([{ ...key, isDue: true }]);
    expect(await claim()).toEqual([expect.objectContaining({ executionId: id, wakes: 2 })]);
  });

  test('a wake-up before the suspension is not lost: the task is due at once', async () => {
    expect(await tested.store.wake([key])).toEqual([{ ...key, isDue: false }]);
    expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Running', run_at: null, wakes: 1 });
    expect(await suspend({ delayMs: HOUR })).toBe('woken');
    const [again] = await claim();
    expect(again).toMatchObject({ wakes: 1 });
    // Seen by this claim, so it does not count again.
    expect(await suspend({ wakes: again!.wakes })).toBe('ended');
    expect(await claim()).toEqual([]);
  });

  test('it is no loss of its process: recoveries before it no longer count', async () => {
    await tested.behind.changeTask(id, 0, { recoveryAttempts: 2, attempt: 1 });
    await suspend();
    expect(await tested.taskOf(id, 0)).toMatchObject({ recovery_attempts: 0, attempt: 1 });
  });

  test('it ends the deferral before it, so the wait does not count for its timeout', async () => {
    await tested.behind.changeTask(id, 0, { deferredForMs: HOUR });
    await suspend();
    expect(await tested.taskOf(id, 0)).toMatchObject({ deferred_since: null });
  });

  test('recovery does not see it', async () => {
    const lost = tested.worker();
    id = await lost.startOne(parallel(1, { definitionId }));
    await suspend();
    const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'boot', orphanedForMs: 0 };
    const { instanceId } = lost.claimant;
    expect(await tested.store.recovery.takeOrphans(instanceId, how, noLease())).toEqual([]);
    expect(await tested.store.claimsOf(instanceId)).toEqual([]);
  });

  test('a task that has ended is not woken', async () => {
    await tested.store.cancel(id, null);
    const before = await tested.taskOf(id, 0);
    expect(await tested.store.wake([key])).toEqual([]);
    expect(await tested.taskOf(id, 0)).toEqual(before);
  });

  test('several wake-ups in one statement count each, and other tasks sleep on', async () => {
    const other = await worker.startOne(parallel(2, { definitionId }));
    await tested.store.reschedule(
      [0, 1].map((taskNo) => rescheduleOf('suspend', other, taskNo, { delayMs: null })),
    );
    const own = { executionId: other, taskNo: 1, itemNo: 0 };
    expect(await tested.store.wake([own, own])).toEqual([{ ...own, isDue: true }]);
    expect(await tested.taskOf(other, 1)).toMatchObject({ wakes: 2 });
    expect(await tested.taskOf(other, 0)).toMatchObject({ wakes: 0, run_at: null });
  });

  describe('control', () => {
    beforeEach(() => suspend());

    test('a pause holds it: a wake-up makes it due, and it is claimed after the resume', async () => {
      await tested.store.pause(id, null);
      expect(await tested.store.wake([key])).toEqual([{ ...key, isDue: false }]);
      expect(await claim()).toEqual([]);
      await tested.store.resume(id);
      expect(await claim()).toHaveLength(1);
    });

    test('a cancel ends it at once, and no handler has to stop', async () => {
      expect(await tested.store.cancel(id, null)).toMatchObject({ changed: true, running: [] });
      expect(await tested.taskOf(id, 0)).toMatchObject({
        status: 'Cancelled',
        started_at: expect.any(Date),
        completed_at: expect.any(Date),
      });
    });

    test('the timeout of the workflow ends it', async () => {
      await tested.behind.setDeadline(id, -1);
      const late = (await tested.store.pastDeadlines()).filter((past) => past.id === id);
      expect(await tested.store.timeOut(late, () => ({}))).toEqual([
        { id, hasWaiters: false, wasRunning: false, hasExpired: false, unsettled: 0 },
      ]);
      expect(await tested.statusesOf(id)).toEqual(['Cancelled']);
    });

    test('a manual retry keeps the number of wake-ups, because it never decreases', async () => {
      await tested.store.wake([key]);
      await tested.store.cancel(id, null);
      const task = { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true };
      await tested.store.reset(id, async () => ({ tasks: [task], leaves: 1 }));
      expect(await claim()).toEqual([expect.objectContaining({ wakes: 1, generation: 1 })]);
    });
  });
}
