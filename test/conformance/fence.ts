import { beforeEach, describe, expect, test } from '@jest/globals';
import { FIRST_TOKEN, type OutcomeDetail } from '../../lib/store/port/index.js';
import { heldToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, noLease, outcomeOf, rescheduleOf, workflow } from './workflows.js';
import type { TestWorkflow } from './workflows.js';

const DETAIL: OutcomeDetail = {
  error: { message: 'late' },
  deletedKeys: ['key'],
  events: [{ kind: 'taskFailed', detail: {} }],
};

export function describeFence(tested: TestedStore): void {
  const worker = tested.worker();
  const other = tested.worker();
  let of: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    // 1 depends on 0; 2 is alone, so that the execution has a leaf that runs too.
    of = workflow([[], [0], []], { definitionId: tested.newDefinition() });
    id = await worker.startOne(of);
  });

  /** Late outcomes of every kind, of the task with a dependent and of the leaf. */
  async function expectRefused(token: number): Promise<void> {
    const before = await tested.rowsOf(id);
    for (const taskNo of [0, 2]) {
      for (const outcome of [
        outcomeOf(of, id, taskNo, { token, output: '{"late":1}', finalContext: '{}' }),
        failureOf(of, id, taskNo, { token, detail: DETAIL }),
        outcomeOf(of, id, taskNo, { token, status: 'Skipped', detail: { skipReason: 'rule' } }),
      ]) {
        expect(await other.complete([outcome])).toEqual({
          accepted: [false],
          readied: [],
          ended: [],
        });
      }
      for (const kind of ['retry', 'defer', 'giveBack', 'suspend'] as const) {
        const item = rescheduleOf(kind, id, taskNo, { token, error: { message: 'late' } });
        expect(await tested.store.reschedule([item])).toEqual(['refused']);
      }
      expect(await tested.store.beginSuspect({ executionId: id, taskNo, itemNo: 0, token })).toBe(
        false,
      );
    }
    expect(await tested.rowsOf(id)).toEqual(before);
  }

  describe('nothing is written', () => {
    test.each([
      ['of no claim', 0],
      ['of the release', FIRST_TOKEN + 1],
      ['below it', FIRST_TOKEN - 1],
      ['of the same count', FIRST_TOKEN + 2],
      ['that no row can have', -1],
    ])('with a token %s', async (_, token) => {
      await expectRefused(token);
    });

    test('once the outcome is recorded: sent again, it changes nothing', async () => {
      await worker.complete([outcomeOf(of, id, 0), outcomeOf(of, id, 2)]);
      await expectRefused(FIRST_TOKEN);
    });

    test('after a failure', async () => {
      await worker.complete([failureOf(of, id, 0), failureOf(of, id, 2)]);
      await expectRefused(FIRST_TOKEN);
    });

    test('after a cancel', async () => {
      expect(await tested.store.cancel(id, 'enough')).toEqual({
        changed: true,
        workflow: expect.any(String),
        hasWaiters: false,
        unsettled: 0,
        running: [0, 2],
      });
      const { tasks } = await tested.rowsOf(id);
      expect(tasks.map((task) => [task.status, task.claim_token])).toEqual([
        ['Cancelled', FIRST_TOKEN + 1],
        ['Cancelled', 0],
        ['Cancelled', FIRST_TOKEN + 1],
      ]);
      await expectRefused(FIRST_TOKEN);
    });

    test("after the workflow's timeout", async () => {
      await tested.behind.setDeadline(id, 0);
      const overdue = await tested.store.pastDeadlines();
      const ended = await tested.store.timeOut(overdue, () => ({ message: 'too long' }));
      expect(ended).toContainEqual({
        id,
        hasWaiters: false,
        wasRunning: true,
        hasExpired: false,
        unsettled: 0,
      });
      await expectRefused(FIRST_TOKEN);
    });

    test('after the claim was given back', async () => {
      await tested.store.reschedule([
        rescheduleOf('giveBack', id, 0),
        rescheduleOf('giveBack', id, 2, { delayMs: 60_000 }),
      ]);
      await expectRefused(FIRST_TOKEN);
    });

    test('after another process claimed the task that was taken from a lost one', async () => {
      await tested.store.recovery.takeOrphans(
        worker.claimant.instanceId,
        { limit: 1_000, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 },
        noLease(other.claimant),
      );
      expect(await other.claim([of.plan.definitionId], 10)).toHaveLength(2);
      await expectRefused(FIRST_TOKEN);
    });

    test('after a manual retry: the next run has tokens of its own', async () => {
      await worker.complete([failureOf(of, id, 0), failureOf(of, id, 2)]);
      await worker.complete([
        outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
      const tasks = [0, 1, 2].map((taskNo) => ({
        taskNo,
        pendingDependencies: taskNo === 1 ? 1 : 0,
        unmetDependencies: 0,
        keepsSteps: true,
      }));
      await tested.store.reset(id, () => Promise.resolve({ tasks, leaves: 2 }));
      await expectRefused(FIRST_TOKEN);
      const claims = await worker.claim([of.plan.definitionId], 10);
      expect(claims.map(({ taskNo, token }) => [taskNo, token])).toEqual([
        [0, heldToken(2)],
        [2, heldToken(2)],
      ]);
      await expectRefused(FIRST_TOKEN);
    });
  });

  test('only the outcome without its claim is left out of a batch', async () => {
    const second = await worker.startOne(of);
    const { accepted, readied } = await worker.complete([
      outcomeOf(of, id, 0, { token: FIRST_TOKEN + 4 }),
      outcomeOf(of, id, 2),
      outcomeOf(of, second, 0),
      failureOf(of, second, 2, { token: FIRST_TOKEN + 4 }),
    ]);
    expect(accepted).toEqual([false, true, true, false]);
    expect(readied).toEqual([expect.objectContaining({ outcome: 2, taskNo: 1 })]);
    expect((await tested.rowsOf(id)).execution).toMatchObject({ remaining_leaves: 1 });
    expect((await tested.rowsOf(second)).execution).toMatchObject({
      remaining_leaves: 2,
      unhandled_failures: 0,
    });
  });

  test('only the claim that is held is given back of a batch', async () => {
    const accepted = await tested.store.reschedule([
      rescheduleOf('retry', id, 0, { token: FIRST_TOKEN + 4 }),
      rescheduleOf('retry', id, 2),
    ]);
    expect(accepted).toEqual(['refused', 'ended']);
    expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Running', attempt: 0 });
    expect(await tested.taskOf(id, 2)).toMatchObject({ status: 'Ready', attempt: 1 });
  });

  test('a pause takes no claim away: what runs may record its outcome', async () => {
    await tested.store.pause(id, null);
    expect(await tested.store.pausedExecutions(worker.claimant.instanceId)).toContain(id);
    const { accepted } = await tested.store.complete([outcomeOf(of, id, 0)], noLease());
    expect(accepted).toEqual([true]);
  });

  test('an outcome that cannot be stored leaves the claim and the whole batch as they were', async () => {
    const before = await tested.rowsOf(id);
    const batch = [outcomeOf(of, id, 0), outcomeOf(of, id, 2, { output: '{"a":"\\u0000"}' })];
    const error: unknown = await worker.complete(batch).catch((reason: unknown) => reason);
    expect(tested.store.classifyFailure(error).kind).toBe('data');
    expect(await tested.rowsOf(id)).toEqual(before);
  });

  test('the row of a task that has ended tells the outcome and the token of its claim', async () => {
    const detail = { deletedKeys: ['a', 'b'] };
    await worker.complete([outcomeOf(of, id, 0, { output: '{"x": 1}', detail })]);
    const keys = [0, 2].map((taskNo) => ({ executionId: id, taskNo, itemNo: 0 }));
    expect(await tested.store.outcomes(keys)).toEqual([
      {
        executionId: id,
        taskNo: 0,
        itemNo: 0,
        status: 'Completed',
        skipReason: null,
        error: null,
        output: '{"x": 1}',
        deletedKeys: ['a', 'b'],
        token: FIRST_TOKEN + 1,
      },
    ]);
  });

  test('the row of a task that Failed tells its error', async () => {
    const error = { name: 'Error', message: 'no' };
    const detail = { error, events: [] };
    await worker.complete([outcomeOf(of, id, 0, { status: 'Failed', detail })]);
    const [row] = await tested.store.outcomes([{ executionId: id, taskNo: 0, itemNo: 0 }]);
    expect([row?.status, JSON.parse(row?.error ?? 'null')]).toEqual(['Failed', error]);
  });

  test('the events of outcomes have the order of the batch', async () => {
    const failed = (taskNo: number) => {
      const events = ['first', 'second'].map((no) => ({ kind: 'taskFailed', detail: { no } }));
      return failureOf(of, id, taskNo, { detail: { error: { message: 'no' }, events } });
    };
    await worker.complete([failed(0), failed(2)]);
    const { events } = await tested.rowsOf(id);
    const told = events.filter(({ kind }) => kind === 'taskFailed');
    expect(told.map(({ task_no, detail }) => [task_no, detail])).toEqual([
      [0, { no: 'first' }],
      [0, { no: 'second' }],
      [2, { no: 'first' }],
      [2, { no: 'second' }],
    ]);
  });
}
