import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type Reschedule } from '../../lib/store/port/index.js';
import type { TaskColumns } from './stored-rows.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, parallel, rescheduleOf } from './workflows.js';
import { tasksOf } from './tasks-of.js';

export function describeReschedule(tested: TestedStore): void {
  const worker = tested.worker();
  let id: string;
  let definitionId: string;
  beforeEach(async () => {
    definitionId = tested.newDefinition();
    id = await worker.startOne(parallel(1, { definitionId }));
  });

  async function reschedule(
    kind: Reschedule['kind'],
    options?: Partial<Reschedule>,
  ): Promise<TaskColumns> {
    const { claim_token: token } = await tested.taskOf(id, 0);
    const item = rescheduleOf(kind, id, 0, { token, ...options });
    expect(await tested.store.reschedule([item])).toEqual(['ended']);
    return tested.taskOf(id, 0);
  }

  /** Due at once, whatever its time. */
  async function claimAgain(): Promise<void> {
    await tested.behind.changeTask(id, 0, { runInMs: 0 });
    expect(await worker.claim([definitionId], 1)).toHaveLength(1);
  }

  describe('a retry', () => {
    test('counts the attempt and keeps its times and its error', async () => {
      const { started_at: startedAt } = await tested.taskOf(id, 0);
      const task = await reschedule('retry', { error: { message: 'no' }, delayMs: 3_600_000 });

      expect(task).toMatchObject({
        status: 'Ready',
        owner: null,
        claim_token: FIRST_TOKEN + 1,
        attempt: 1,
        error: { message: 'no' },
        attempts: [
          {
            attempt: 1,
            error: { message: 'no' },
            startedAt: expect.any(String),
            completedAt: expect.any(String),
          },
        ],
      });
      const [attempt] = task.attempts ?? [];
      expect(new Date(String(attempt?.['startedAt']))).toEqual(startedAt);
      // The delay counts from the end of the attempt.
      const waits = Number(task.run_at) - Number(new Date(String(attempt?.['completedAt'])));
      expect(Math.abs(waits - 3_600_000)).toBeLessThan(60_000);
      expect(await worker.claim([definitionId], 1)).toEqual([]);
      expect((await tested.rowsOf(id)).events).toEqual([
        expect.objectContaining({
          kind: 'retried',
          task_no: 0,
          detail: {
            attempt: 1,
            startedAt: expect.any(String),
            owner: worker.claimant.instanceId,
            error: { message: 'no' },
          },
        }),
      ]);
    });

    test('keeps the last 20 attempts, the failure that ends the task included', async () => {
      for (let n = 1; n <= 24; n++) {
        await reschedule('retry', { error: { n } });
        await claimAgain();
      }
      const { claim_token: token } = await tested.taskOf(id, 0);
      await worker.complete([
        failureOf(parallel(1), id, 0, { token, detail: { error: { n: 25 } } }),
      ]);

      const { attempt, attempts } = await tested.taskOf(id, 0);
      expect(attempt).toBe(25);
      expect(attempts?.map((kept) => [kept['attempt'], kept['error']])).toEqual(
        Array.from({ length: 20 }, (_, n) => [n + 6, { n: n + 6 }]),
      );
    });

    test('ends what counted before it: recoveries and the deferral', async () => {
      await reschedule('defer');
      await tested.behind.changeTask(id, 0, { recoveryAttempts: 2 });
      await claimAgain();
      expect(await reschedule('retry', { error: {} })).toMatchObject({
        recovery_attempts: 0,
        deferred_since: null,
      });
    });

    test('whose error cannot be stored changes nothing', async () => {
      const before = await tested.rowsOf(id);
      const item = rescheduleOf('retry', id, 0, { error: { message: '\0' } });
      const error: unknown = await tested.store.reschedule([item]).catch((e: unknown) => e);
      expect(tested.store.classifyFailure(error).kind).toBe('data');
      expect(await tested.rowsOf(id)).toEqual(before);
    });
  });

  describe('a deferral', () => {
    test('costs no attempt, leaves one event for all of them, and remembers when it began', async () => {
      const first = await reschedule('defer', { delayMs: 3_600_000 });
      expect(first).toMatchObject({
        status: 'Ready',
        owner: null,
        attempt: 0,
        attempts: null,
        error: null,
        deferred_since: expect.any(Date),
      });
      expect(await worker.claim([definitionId], 1)).toEqual([]);

      await claimAgain();
      const again = await reschedule('defer');
      expect(again.deferred_since).toEqual(first.deferred_since);
      expect((await tested.rowsOf(id)).events).toEqual([
        expect.objectContaining({ kind: 'deferred', task_no: 0, detail: null }),
      ]);
    });

    test('its length is told with the next claim', async () => {
      await reschedule('defer');
      await tested.behind.changeTask(id, 0, { deferredForMs: 3_600_000 });
      const [claim] = await worker.claim([definitionId], 1);
      expect(claim?.deferredForMs).toBeGreaterThanOrEqual(3_600_000);
      expect(claim?.deferredForMs).toBeLessThan(7_200_000);
    });
  });

  test('a claim that is given back leaves nothing but a token that went up', async () => {
    await tested.behind.changeTask(id, 0, { recoveryAttempts: 1 });
    const before = await tested.taskOf(id, 0);
    expect(await reschedule('giveBack')).toEqual({
      ...before,
      status: 'Ready',
      claim_token: FIRST_TOKEN + 1,
      owner: null,
      run_at: expect.any(Date),
    });
    expect((await tested.rowsOf(id)).events).toEqual([]);
    expect(await worker.claim([definitionId], 1)).toHaveLength(1);
  });

  test.each([-1, Number.NaN, 0.5, Number.MAX_VALUE])(
    'a delay of %p ms is taken',
    async (delayMs) => {
      expect(await reschedule('giveBack', { delayMs })).toMatchObject({ status: 'Ready' });
    },
  );

  test.each(['retry', 'defer', 'giveBack'] as const)(
    'a %s of a paused task stays paused',
    async (kind) => {
      await tested.store.pause(id, null);
      expect(await reschedule(kind, { error: {} })).toMatchObject({
        status: 'Ready',
        paused: true,
      });
      expect(await worker.claim([definitionId], 1)).toEqual([]);
    },
  );

  test('a batch is one statement for many tasks, of every kind', async () => {
    const ids = await worker.startMany(parallel(3, { definitionId }), 20);
    const kinds = ['retry', 'defer', 'giveBack'] as const;
    const items = ids
      .toSorted()
      .flatMap((one) =>
        kinds.map((kind, taskNo) => rescheduleOf(kind, one, taskNo, { error: { taskNo } })),
      );
    expect(await tested.store.reschedule(items)).toEqual(new Array(60).fill('ended'));
    for (const task of await tasksOf(tested.store, ids)) {
      expect(task.attempt).toBe(task.taskNo === 0 ? 1 : 0);
      expect(task.deferred).toBe(task.taskNo === 1);
    }
  });
}
