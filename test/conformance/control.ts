import { beforeEach, describe, expect, test } from '@jest/globals';
import { releasedToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, parallel, rescheduleOf, workflow, type TestWorkflow } from './workflows.js';

export function describeControl(tested: TestedStore): void {
  const worker = tested.worker();
  let definitionId: string;
  let chain: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    chain = workflow([[], [0]], { definitionId });
    id = await worker.startOne(chain);
  });

  describe('an execution that is Finishing', () => {
    const unchanged = { changed: false, running: [] };
    const rows = async () => {
      const { execution, tasks } = await tested.rowsOf(id);
      return {
        status: execution?.status,
        tasks: tasks.map(({ status, paused }) => [status, paused]),
      };
    };
    beforeEach(() => tested.behind.beginFinish(id, 'Failed'));

    test('is not cancelled, nor are the tasks that follow its outcome', async () => {
      const before = await rows();
      expect(await tested.store.cancel(id, 'no')).toMatchObject(unchanged);
      expect(await rows()).toEqual(before);
      expect(before.tasks).toEqual([
        ['Running', false],
        ['NotStarted', false],
      ]);
    });

    test('is paused with its tasks, and Finishing again after the resume', async () => {
      const before = await rows();
      expect(await tested.store.pause(id, 'lunch')).toMatchObject({ changed: true });
      expect(await rows()).toEqual({
        status: 'Paused',
        tasks: [
          ['Running', true],
          ['NotStarted', true],
        ],
      });
      expect(await tested.store.cancel(id, 'no')).toMatchObject(unchanged);
      expect(await tested.store.resume(id)).toMatchObject({ changed: true });
      expect(await rows()).toEqual(before);
    });
  });

  describe('pause and resume', () => {
    test('hold every task that has not ended, and release it', async () => {
      const { store } = tested;
      await worker.complete([outcomeOf(chain, id, 0, { claim: false })]);
      expect(await store.pause(id, 'lunch')).toEqual({
        changed: true,
        workflow: expect.any(String),
        hasWaiters: false,
        unsettled: 0,
        running: [],
      });
      const paused = await tested.rowsOf(id);
      expect(paused.execution).toMatchObject({ status: 'Paused', reason: 'lunch' });
      expect(paused.tasks.map((task) => task.paused)).toEqual([false, true]);

      expect(await store.resume(id)).toMatchObject({ changed: true });
      const resumed = await tested.rowsOf(id);
      expect(resumed.execution).toMatchObject({ status: 'Running', reason: null });
      expect(resumed.events.map(({ kind }) => kind)).toEqual(['paused', 'resumed']);
      const claims = await worker.claim([definitionId], 10);
      expect(claims.map(({ executionId, taskNo }) => [executionId, taskNo])).toEqual([[id, 1]]);
    });

    test('a dependent that becomes ready meanwhile is not claimed until the resume', async () => {
      await tested.store.pause(id, null);
      const { readied } = await worker.complete([outcomeOf(chain, id, 0)]);
      expect(readied).toEqual([
        expect.objectContaining({ taskNo: 1, claimed: false, paused: true, token: 0 }),
      ]);
      expect(await worker.claim([definitionId], 10)).toEqual([]);
      await tested.store.resume(id);
      expect(await worker.claim([definitionId], 10)).toHaveLength(1);
    });

    test('a task that is given back meanwhile becomes due and waits for the resume', async () => {
      await tested.store.pause(id, null);
      await tested.store.reschedule([rescheduleOf('retry', id, 0, { error: {} })]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Ready', paused: true });
      expect(await worker.claim([definitionId], 10)).toEqual([]);
      await tested.store.resume(id);
      expect(await worker.claim([definitionId], 10)).toHaveLength(1);
    });

    test('an execution that has not begun is Pending again', async () => {
      const own = tested.newDefinition();
      const pending = await worker.startOne(workflow([[]], { definitionId: own }), { claims: 0 });
      await tested.store.pause(pending, null);
      await tested.store.resume(pending);
      expect((await tested.rowsOf(pending)).execution).toMatchObject({ status: 'Pending' });
      expect(await worker.claim([own], 10)).toHaveLength(1);
    });

    test('the last running task ends a paused execution', async () => {
      await worker.complete([outcomeOf(chain, id, 0)]);
      await tested.store.pause(id, null);
      const { ended } = await worker.complete([outcomeOf(chain, id, 1)]);
      expect(ended).toEqual([expect.objectContaining({ status: 'Completed' })]);
      expect((await tested.rowsOf(id)).execution).toMatchObject({ status: 'Completed' });
    });
  });

  test('a cancel ends every task that has not ended, and tells which ran and what is awaited', async () => {
    await worker.complete([outcomeOf(chain, id, 0)]);
    await tested.store.await(id);
    expect(await tested.store.cancel(id, 'enough')).toEqual({
      changed: true,
      workflow: expect.any(String),
      hasWaiters: true,
      unsettled: 0,
      running: [1],
    });
    const { execution, tasks, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({
      status: 'Cancelled',
      reason: 'enough',
      remaining_leaves: 0,
      completed_at: expect.any(Date),
    });
    expect(tasks.map(({ status }) => status)).toEqual(['Completed', 'Cancelled']);
    expect(tasks[1]).toMatchObject({ claim_token: releasedToken(1), owner: null, run_at: null });
    expect(events).toEqual([
      expect.objectContaining({ kind: 'cancelled', detail: { reason: 'enough' } }),
    ]);
  });

  test('a cancel leaves the start of a task that it cut off, and none of one that waited', async () => {
    const of = parallel(2, { definitionId: tested.newDefinition() });
    const cancelled = await worker.startOne(of, { claims: 2 });
    await tested.store.reschedule([rescheduleOf('defer', cancelled, 0, { delayMs: 3_600_000 })]);
    await tested.store.cancel(cancelled, null);
    expect((await tested.rowsOf(cancelled)).tasks).toMatchObject([
      { status: 'Cancelled', started_at: null },
      { status: 'Cancelled', started_at: expect.any(Date) },
    ]);
  });

  test('a cancelled execution has no task to claim', async () => {
    await worker.complete([outcomeOf(chain, id, 0, { claim: false })]);
    await tested.store.cancel(id, null);
    expect(await worker.claim([definitionId], 10)).toEqual([]);
  });

  test.each(['cancel', 'pause', 'resume'] as const)(
    '%s of what has ended, or is not there, changes nothing',
    async (control) => {
      const none = { changed: false, workflow: '', hasWaiters: false, unsettled: 0, running: [] };
      const call = (of: string) =>
        control === 'resume' ? tested.store.resume(of) : tested.store[control](of, 'late');
      await worker.complete([outcomeOf(chain, id, 0)]);
      await worker.complete([outcomeOf(chain, id, 1)]);
      const before = await tested.rowsOf(id);

      expect(await call(id)).toEqual(none);
      expect(await call('00000000-0000-7000-8000-000000000000')).toEqual(none);
      expect(await tested.rowsOf(id)).toEqual(before);
    },
  );

  test('a second pause and a second cancel change nothing', async () => {
    const { store } = tested;
    await store.pause(id, 'one');
    expect(await store.pause(id, 'two')).toMatchObject({ changed: false });
    expect((await tested.rowsOf(id)).execution).toMatchObject({ reason: 'one' });
    await store.cancel(id, 'one');
    expect(await store.cancel(id, 'two')).toMatchObject({ changed: false });
    expect((await tested.rowsOf(id)).execution).toMatchObject({ reason: 'one' });
  });
}
