import { afterEach, expect, test } from '@jest/globals';
import type { PastDeadline } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { fanIn, outcomeOf } from './workflows.js';

const join = fanIn(2, { timeoutMs: 3_600_000, name: 'slow' });

export function describeDeadlines(tested: TestedStore): void {
  const worker = tested.worker();
  let ids: string[] = [];
  afterEach(async () => {
    for (const id of ids) await tested.store.cancel(id, null);
  });

  /** Executions whose timeout is over, the first one's for longest. */
  async function overdue(count: number): Promise<string[]> {
    ids = await worker.startMany(join, count);
    for (const [n, id] of ids.entries()) await tested.behind.setDeadline(id, -1_000 * (900 - n));
    return ids;
  }

  /** Those of this test. */
  async function pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]> {
    return (await tested.store.pastDeadlines(after)).filter(({ id }) => ids.includes(id));
  }

  test('executions whose timeouts are over end with all that follows from it', async () => {
    await overdue(3);
    const page = await pastDeadlines();
    expect(page).toContainEqual(
      expect.objectContaining({ id: ids[0], workflow: 'slow', timeoutMs: 3_600_000 }),
    );
    const ended = await tested.store.timeOut(page, ({ workflow }) => ({ name: `of ${workflow}` }));
    expect(ended).toHaveLength(3);
    for (const id of ids) {
      expect(ended).toContainEqual({ id, hasWaiters: false, wasRunning: true, unsettled: 0 });
      const cancelled = { status: 'Cancelled', owner: null, run_at: null };
      expect(await tested.rowsOf(id)).toMatchObject({
        execution: {
          status: 'Failed',
          error: { name: 'of slow' },
          deadline_at: null,
          remaining_leaves: 0,
        },
        tasks: [cancelled, cancelled, cancelled],
        events: [{ kind: 'timedOut', task_no: null }],
      });
    }
    const late = await worker.complete(ids.map((id) => outcomeOf(join, id, 0)));
    expect(late.accepted).toEqual([false, false, false]);
    expect(await pastDeadlines()).toEqual([]);
  });

  test('they are read in pages, the oldest first', async () => {
    await overdue(5);
    const page = await pastDeadlines();
    expect(page.map(({ id }) => id)).toEqual(ids);
    expect((await pastDeadlines(page[1])).map(({ id }) => id)).toEqual(ids.slice(2));
  });

  test('an awaited one is told with its end, and one of which no task ran', async () => {
    const [first, second] = await overdue(2);
    await tested.store.await(first!);
    // Its last task is ready, and no process has it.
    const roots = [0, 1].map((taskNo) => outcomeOf(join, second!, taskNo, { claim: false }));
    await worker.complete(roots);
    const ended = await tested.store.timeOut(await pastDeadlines(), () => ({}));
    expect(ended).toContainEqual({ id: first, hasWaiters: true, wasRunning: true, unsettled: 0 });
    expect(ended).toContainEqual({
      id: second,
      hasWaiters: false,
      wasRunning: false,
      unsettled: 0,
    });
  });

  test('one that ended or has another deadline since it was read is left alone', async () => {
    const [first, second, third] = await overdue(3);
    const page = await pastDeadlines();
    await tested.store.cancel(first!, null);
    await tested.behind.setDeadline(second!, 3_600_000);
    expect(await tested.store.timeOut(page, () => ({}))).toMatchObject([{ id: third }]);
    expect((await tested.rowsOf(first!)).execution?.status).toBe('Cancelled');
    expect(await tested.statusesOf(second!)).toEqual(['Running', 'Running', 'NotStarted']);
  });

  test('the input of an execution comes with the time until its deadline', async () => {
    const [id] = await overdue(1);
    await tested.behind.setDeadline(id!, 3_600_000);
    const { deadlineInMs } = (await tested.store.inputs([id!])).get(id!)!;
    expect(deadlineInMs).toBeGreaterThan(1_800_000);
    expect(deadlineInMs).toBeLessThanOrEqual(3_600_000);
  });
}
