import { beforeEach, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type StoredProgress, type TaskKey } from '../../lib/store/port/index.js';
import { tasksOf } from './tasks-of.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, rescheduleOf, workflow, type TestWorkflow } from './workflows.js';

export function describeProgress(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let key: TaskKey;
  beforeEach(async () => {
    of = workflow([[]], { definitionId: tested.newDefinition() });
    id = await worker.startOne(of);
    key = { executionId: id, taskNo: 0, itemNo: 0 };
  });

  const progress = async (): Promise<StoredProgress | null | undefined> =>
    (await tasksOf(tested.store, [id]))[0]?.progress;
  const report = (value: string, token = FIRST_TOKEN): Promise<void> =>
    tested.store.reportProgress([{ ...key, token, value }]);

  test('the latest value of a running task is read with the task', async () => {
    expect(await progress()).toBeNull();
    await report('{"done":1}');
    await report('{"done":2}');
    expect(await progress()).toEqual({ value: '{"done":2}', updatedAt: expect.any(Date) });
  });

  test('a claim that is lost reports nothing', async () => {
    await report('1', FIRST_TOKEN + 2);
    expect(await progress()).toBeNull();
  });

  test('progress is that of the latest run', async () => {
    await report('1');
    await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
    expect(await progress()).toMatchObject({ value: '1' });
    const [claim] = await worker.claim([of.plan.definitionId], 1);
    expect(claim).toMatchObject(key);
    expect(await progress()).toBeNull();
    await report('2', claim!.token);
    expect(await progress()).toMatchObject({ value: '2' });
  });

  test('progress of a task that has ended is ignored, and deleted on request', async () => {
    await report('1');
    await tested.store.clearProgress([key]);
    expect(await progress()).toMatchObject({ value: '1' });
    await worker.complete([outcomeOf(of, id, 0)]);
    expect(await progress()).toBeNull();
    await tested.store.clearProgress([key]);
    await report('2');
    expect(await progress()).toBeNull();
  });

  test('without contexts, the rest of an execution is read', async () => {
    const input = '{"big":1}';
    const other = await worker.startOne(of, { input });
    await worker.complete([outcomeOf(of, other, 0, { output: '{"out":1}' })]);
    const [whole] = await tested.store.details([other]);
    expect(whole).toMatchObject({ input, tasks: [{ output: '{"out":1}' }] });
    const [lean] = await tested.store.details([other], false);
    expect(lean).toEqual({
      ...whole,
      input: '{}',
      context: null,
      tasks: [{ ...whole!.tasks[0], output: null }],
    });
  });
}
