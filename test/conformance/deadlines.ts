import { afterEach, describe, expect, test } from '@jest/globals';
import type { PastDeadline, StartItem } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { fanIn, outcomeOf } from './workflows.js';

const join = fanIn(2, { timeoutMs: 3_600_000, name: 'slow' });

const TIMED_OUT = { hasWaiters: false, hasExpired: false, unsettled: 0 };
const EXPIRED = { ...TIMED_OUT, hasExpired: true };
/** A time that no test waits for. */
const LATER = { at: null, inMs: 3_600_000 };

export function describeDeadlines(tested: TestedStore): void {
  const worker = tested.worker();
  let ids: string[] = [];
  afterEach(async () => {
    for (const id of ids) await tested.store.cancel(id, null);
    ids = [];
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
      expect.objectContaining({
        id: ids[0],
        workflow: 'slow',
        timeoutMs: 3_600_000,
        hasBegun: true,
      }),
    );
    const ended = await tested.store.timeOut(page, ({ workflow }) => ({ name: `of ${workflow}` }));
    expect(ended).toHaveLength(3);
    for (const id of ids) {
      expect(ended).toContainEqual({ id, ...TIMED_OUT, wasRunning: true });
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
    expect(ended).toContainEqual({
      id: first,
      ...TIMED_OUT,
      hasWaiters: true,
      wasRunning: true,
    });
    expect(ended).toContainEqual({ id: second, ...TIMED_OUT, wasRunning: false });
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

  describe('until when an execution must begin', () => {
    const definitionId = tested.newDefinition();
    const of = fanIn(2, { timeoutMs: 7_200_000, name: 'prompt', definitionId });

    async function limited(options: Partial<StartItem> = {}): Promise<string> {
      const id = await worker.startOne(of, { claims: 0, startBefore: LATER, ...options });
      ids.push(id);
      return id;
    }
    async function expired(options?: Partial<StartItem>): Promise<string> {
      const id = await limited(options);
      await tested.behind.setDeadline(id, -1_000);
      return id;
    }
    const startBefore = async (id: string): Promise<Date | null | undefined> =>
      (await tested.store.executions([id]))[0]?.startBefore;

    test('it is read until the execution begins', async () => {
      const at = new Date(Date.now() + 3_600_000);
      const id = await limited({ startBefore: { at, inMs: null } });
      expect(await startBefore(id)).toEqual(at);
      const inTime = await limited();
      expect((await startBefore(inTime))!.getTime()).toBeGreaterThan(Date.now() + 1_800_000);
      const atOnce = await limited({ claims: 2 });
      expect(await startBefore(atOnce)).toBeNull();
      await worker.claim([definitionId], 10);
      expect(await startBefore(id)).toBeNull();
      const { execution } = await tested.rowsOf(id);
      expect(execution).toMatchObject({ status: 'Running', deadline_at: expect.any(Date) });
    });

    test('one that has not begun by then is Cancelled, also while it is Paused', async () => {
      const id = await expired();
      const paused = await expired();
      await tested.store.pause(paused, 'lunch');
      const page = await pastDeadlines();
      expect(page).toContainEqual(expect.objectContaining({ id, hasBegun: false }));
      const ended = await tested.store.timeOut(page, () => ({ name: 'timeout' }));
      for (const one of [id, paused]) {
        expect(ended).toContainEqual({ id: one, ...EXPIRED, wasRunning: false });
        const { execution, tasks, events } = await tested.rowsOf(one);
        expect(execution).toMatchObject({
          status: 'Cancelled',
          reason: 'expired',
          error: null,
          started_at: null,
          deadline_at: null,
        });
        expect(new Set(tasks.map(({ status }) => status))).toEqual(new Set(['Cancelled']));
        expect(events.at(-1)).toMatchObject({ kind: 'expired', detail: null });
      }
      expect(await worker.claim([definitionId], 10)).toEqual([]);
    });

    test('a claim after it does not begin the execution, and its task must not run', async () => {
      const id = await expired();
      const inTime = await limited();
      const claims = await worker.claim([definitionId], 10);
      const markOf = (execution: string) =>
        claims
          .filter(({ executionId }) => executionId === execution)
          .map(({ isExpired }) => isExpired);
      expect(markOf(id)).toEqual([true, true]);
      expect(markOf(inTime)).toEqual([undefined, undefined]);
      expect((await tested.rowsOf(id)).execution).toMatchObject({
        status: 'Pending',
        started_at: null,
      });
      const ended = await tested.store.timeOut(await pastDeadlines(), () => ({}));
      expect(ended).toEqual([{ id, ...EXPIRED, wasRunning: true }]);
      const late = await worker.complete([outcomeOf(of, id, 0)]);
      expect(late.accepted).toEqual([false]);
    });

    test('a manual retry of one that has expired may begin at any time', async () => {
      const id = await expired();
      await tested.store.timeOut(await pastDeadlines(), () => ({}));
      const tasks = [0, 1, 2].map((taskNo) => ({
        taskNo,
        pendingDependencies: taskNo === 2 ? 2 : 0,
        unmetDependencies: 0,
        keepsSteps: true,
      }));
      await tested.store.reset(id, () => Promise.resolve({ tasks, leaves: 1 }));
      expect(await startBefore(id)).toBeNull();
      expect((await tested.rowsOf(id)).execution).toMatchObject({
        status: 'Pending',
        reason: null,
      });
      expect(await worker.claim([definitionId], 10)).toHaveLength(2);
    });
  });
}
