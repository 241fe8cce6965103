import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  FIRST_TOKEN,
  MAX_LISTED_STEPS,
  type StepRecord,
  type StepRow,
  type TaskKey,
} from '../../lib/store/port/index.js';
import { tasksOf } from './tasks-of.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, noLease, rescheduleOf, workflow, type TestWorkflow } from './workflows.js';

const HOUR = 3_600_000;

export function describeSteps(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let key: TaskKey;
  beforeEach(async () => {
    // 1 depends on 0.
    of = workflow([[], [0]], { definitionId: tested.newDefinition() });
    id = await worker.startOne(of);
    key = { executionId: id, taskNo: 0, itemNo: 0 };
  });

  function record(name: string, more: Partial<StepRecord> = {}): StepRecord {
    return {
      ...key,
      token: FIRST_TOKEN,
      name,
      kind: 'step',
      status: 'Done',
      result: '1',
      error: null,
      childId: null,
      listensFor: null,
      due: null,
      ...more,
    };
  }
  const steps = async (task: TaskKey = key): Promise<StepRow[]> =>
    (await tested.store.steps([task])).toSorted((a, b) => (a.name < b.name ? -1 : 1));

  test('a recorded step is read by the next claim of the task', async () => {
    expect(await steps()).toEqual([]);
    expect(await tested.store.recordSteps([record('a', { result: '{"x":1}' })])).toEqual([
      { dueInMs: null },
    ]);
    const row = { ...key, name: 'a', kind: 'step', status: 'Done', result: '{"x":1}' };
    const none = { error: null, childId: null, listensFor: null, dueInMs: null };
    expect(await steps()).toEqual([{ ...row, ...none }]);
    await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
    const [claim] = await worker.claim([of.plan.definitionId], 1);
    expect(claim).toMatchObject({ executionId: id, hasSteps: true });
  });

  test('an execution is read with the newest steps of its tasks, and their results if asked for', async () => {
    const names = Array.from({ length: MAX_LISTED_STEPS + 1 }, (_, no) => `s${1_000 + no}`);
    for (const name of names) await tested.store.recordSteps([record(name, { result: '{"a":1}' })]);
    const stepsOf = async (detail?: 'listed' | 'results') =>
      (await tested.store.details([id], false, detail))[0]!.tasks.map((task) => task.steps);
    expect(await stepsOf()).toEqual([[], []]);
    const [listed, none] = await stepsOf('listed');
    expect(none).toEqual([]);
    expect(listed!.map(({ name }) => name)).toEqual(names.slice(1));
    const common = { kind: 'step', status: 'Done', dueAt: null };
    const times = { startedAt: expect.any(Date), completedAt: expect.any(Date) };
    expect(listed!.at(-1)).toEqual({ name: names.at(-1), ...common, ...times, result: null });
    expect((await stepsOf('results'))[0]!.at(-1)).toMatchObject({ result: '{"a":1}' });
    await tested.store.recordSteps([
      record('wait', { kind: 'sleep', status: 'Open', result: null, due: { inMs: HOUR } }),
    ]);
    expect((await stepsOf('listed'))[0]!.at(-1)).toMatchObject({
      name: 'wait',
      status: 'Open',
      completedAt: null,
      dueAt: expect.any(Date),
    });
  });

  test('a step began when its work did, also in the history', async () => {
    await tested.store.recordSteps([
      record('long', { tookMs: HOUR }),
      record('short', { tookMs: 0.4 }),
    ]);
    const [task] = (await tested.store.details([id], false, 'listed'))[0]!.tasks;
    const took = (task?.steps ?? []).map(({ name, startedAt, completedAt }) => {
      const ms = Number(completedAt) - Number(startedAt);
      return [name, Math.round(ms / HOUR)];
    });
    expect(took).toEqual([
      ['long', 1],
      ['short', 0],
    ]);
    const history = await tested.store.history(id);
    expect(history?.waits).toEqual([]);
    expect(history?.steps).toEqual([
      { taskNo: 0, name: 'long', startedAt: expect.any(String), completedAt: expect.any(String) },
      expect.objectContaining({ name: 'short' }),
    ]);
  });

  test('a claim of a task without steps tells so', async () => {
    await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
    const [claim] = await worker.claim([of.plan.definitionId], 1);
    expect(claim).toMatchObject({ executionId: id, hasSteps: false });
  });

  test('no result and a result of null are two things', async () => {
    await tested.store.recordSteps([
      record('nothing', { result: null }),
      record('null', { result: 'null' }),
      record('text', { result: '"a text"' }),
    ]);
    expect((await steps()).map(({ result }) => result)).toEqual([null, 'null', '"a text"']);
  });

  test('a record that is sent again changes nothing', async () => {
    await tested.store.recordSteps([record('a', { result: '1' })]);
    expect(await tested.store.recordSteps([record('a', { result: '2' })])).toEqual([
      { dueInMs: null },
    ]);
    expect(await steps()).toEqual([expect.objectContaining({ result: '1' })]);
  });

  test('a claim that is lost records nothing', async () => {
    await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
    const before = await tested.rowsOf(id);
    expect(await tested.store.recordSteps([record('late')])).toEqual([undefined]);
    expect(await steps()).toEqual([]);
    expect(await tested.rowsOf(id)).toEqual(before);
  });

  test('one statement takes those of many tasks, and tells each how its own went', async () => {
    const other = await worker.startOne(of);
    const [first, second] = [id, other].toSorted();
    const replies = await tested.store.recordSteps([
      record('a', { executionId: first! }),
      record('b', { executionId: first!, token: FIRST_TOKEN + 4 }),
      record('c', { executionId: first! }),
      record('a', { executionId: second!, due: { inMs: HOUR } }),
    ]);
    expect(replies).toEqual([
      { dueInMs: null },
      undefined,
      { dueInMs: null },
      { dueInMs: expect.any(Number) },
    ]);
    const keys = [first, second].map((executionId) => ({ ...key, executionId: executionId! }));
    expect((await tested.store.steps(keys)).map(({ name }) => name).toSorted()).toEqual([
      'a',
      'a',
      'c',
    ]);
  });

  test('a result that cannot be stored is told as such, and nothing is recorded', async () => {
    const sent = tested.store.recordSteps([record('a'), record('b', { result: '"\\u0000' })]);
    const error: unknown = await sent.catch((reason: unknown) => reason);
    expect(tested.store.classifyFailure(error).kind).toBe('data');
    expect(await steps()).toEqual([]);
  });

  describe('a wait', () => {
    const open = (name: string, more: Partial<StepRecord> = {}): StepRecord =>
      record(name, { kind: 'sleep', status: 'Open', result: null, ...more });

    test('keeps the time of its first record', async () => {
      const [reply] = await tested.store.recordSteps([open('a', { due: { inMs: HOUR } })]);
      expect(reply?.dueInMs).toBeGreaterThan(HOUR / 2);
      expect(reply?.dueInMs).toBeLessThanOrEqual(HOUR);
      await tested.store.recordSteps([open('a', { due: { inMs: 10 * HOUR } })]);
      const [row] = await steps();
      expect(row).toMatchObject({ kind: 'sleep', status: 'Open' });
      expect(row?.dueInMs).toBeLessThanOrEqual(HOUR);
    });

    test('may end at an instant, also in the past', async () => {
      const replies = await tested.store.recordSteps([
        open('future', { due: { at: new Date('2100-01-01T00:00:00Z') } }),
        open('past', { due: { at: new Date('2000-01-01T00:00:00Z') } }),
      ]);
      expect(replies[0]?.dueInMs).toBeGreaterThan(HOUR);
      expect(replies[1]?.dueInMs).toBeLessThan(0);
    });

    test('is ended once', async () => {
      await tested.store.recordSteps([open('a')]);
      await tested.store.recordSteps([
        record('a', { kind: 'sleep', status: 'TimedOut', result: null }),
      ]);
      await tested.store.recordSteps([record('a', { kind: 'sleep', result: '2' })]);
      expect(await steps()).toEqual([
        expect.objectContaining({ status: 'TimedOut', result: null }),
      ]);
    });

    test('is what a suspended task is shown to wait for, the one that is due first', async () => {
      const name = `waits ${of.plan.definitionId}`;
      const { definitionId } = of.plan;
      const unsaid = { version: undefined, description: undefined, definition: {} };
      await tested.store.definitions.register([
        { id: definitionId, hash: definitionId, name, ...unsaid },
      ]);
      id = await worker.startOne(workflow([[]], { definitionId, name }));
      key = { executionId: id, taskNo: 0, itemNo: 0 };
      const listensFor = { name: 'approval', key: id };
      await tested.store.recordSteps([
        open('forever', { kind: 'signal', listensFor }),
        open('long', { due: { inMs: HOUR } }),
        record('done'),
      ]);
      expect((await tasksOf(tested.store, [id]))[0]).toMatchObject({ wait: null });
      await tested.store.reschedule([rescheduleOf('suspend', id, 0, { delayMs: HOUR })]);
      const wait = {
        name: 'long',
        kind: 'sleep',
        since: expect.any(Date),
        until: expect.any(Date),
        eventName: null,
        childId: null,
      };
      expect((await tasksOf(tested.store, [id]))[0]).toMatchObject({ status: 'Waiting', wait });
      const [listed] = await tested.store.list({ workflow: name, limit: 1 });
      expect(listed?.waiting).toMatchObject({ taskNo: 0, status: 'Waiting', wait });
    });
  });

  describe('progress', () => {
    beforeEach(() => tested.behind.changeTask(id, 0, { attempt: 2, recoveryAttempts: 1 }));

    test('a recorded step takes the failed attempts and the recoveries off', async () => {
      await tested.store.recordSteps([record('a')]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 0, recovery_attempts: 0 });
      await tested.store.reschedule([rescheduleOf('retry', id, 0, { error: { message: 'no' } })]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 1 });
    });

    test('an open wait is none', async () => {
      await tested.store.recordSteps([
        record('a', { kind: 'sleep', status: 'Open', result: null }),
      ]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 2, recovery_attempts: 1 });
    });
  });

  describe('a manual retry', () => {
    const retried = async (keepsSteps: boolean): Promise<StepRow[]> => {
      await tested.store.recordSteps([
        record('done'),
        record('open', { kind: 'sleep', status: 'Open', result: null }),
        record('child', { kind: 'child', status: 'Failed', result: null, childId: id }),
        record('late', { kind: 'signal', status: 'TimedOut', result: null }),
      ]);
      await worker.complete([failureOf(of, id, 0)]);
      await tested.store.cancel(id, null);
      const task = { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps };
      await tested.store.reset(id, async () => ({ tasks: [task], leaves: 0 }));
      return steps();
    };

    test('keeps what is done, and children, where the task keeps its steps', async () => {
      const rows = await retried(true);
      expect(rows.map(({ name }) => name)).toEqual(['child', 'done']);
      expect(await tested.taskOf(id, 0)).toMatchObject({ has_steps: true });
    });

    test('deletes all where it does not', async () => {
      expect(await retried(false)).toEqual([]);
      expect(await tested.taskOf(id, 0)).toMatchObject({ has_steps: false });
    });
  });

  describe('in a transaction', () => {
    const { signal } = new AbortController();

    test('is recorded with its commit', async () => {
      const reply = await tested.store.transaction(
        (transaction) => transaction.recordSteps([record('a')]),
        signal,
      );
      expect(reply).toEqual([{ dueInMs: null }]);
      expect(await steps()).toHaveLength(1);
    });

    test('is gone with a rollback', async () => {
      const before = await tested.rowsOf(id);
      const failed = tested.store.transaction(async (transaction) => {
        await transaction.recordSteps([record('a')]);
        throw new Error('late');
      }, signal);
      await expect(failed).rejects.toThrow('late');
      expect(await steps()).toEqual([]);
      expect(await tested.rowsOf(id)).toEqual(before);
    });
  });

  test('a recovered task keeps its steps', async () => {
    const lost = tested.worker();
    id = await lost.startOne(of);
    key = { executionId: id, taskNo: 0, itemNo: 0 };
    await tested.store.recordSteps([record('a')]);
    const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'boot', orphanedForMs: 0 };
    const { instanceId } = lost.claimant;
    const [taken] = await tested.store.recovery.takeOrphans(instanceId, how, noLease());
    expect(taken).toMatchObject({ executionId: id, hasSteps: true });
    expect(await steps()).toHaveLength(1);
    expect(await tested.store.recordSteps([record('late')])).toEqual([undefined]);
  });
}
