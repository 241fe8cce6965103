import { beforeEach, expect, test } from '@jest/globals';
import type { LockedExecution, ResetTask } from '../../lib/store/port/index.js';
import { heldToken } from '../support/claim-tokens.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, outcomeOf, workflow, type TestWorkflow } from './workflows.js';

/** Not in the order of the tasks, which the events have. */
const RESET: ResetTask[] = [
  { taskNo: 3, pendingDependencies: 1, unmetDependencies: 0, keepsSteps: true },
  { taskNo: 1, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true },
  { taskNo: 2, pendingDependencies: 1, unmetDependencies: 0, keepsSteps: true },
];

export function describeManualRetry(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  beforeEach(async () => {
    // 2 depends on 0, which completed, and on 1, which failed; 3 on 2.
    of = workflow([[], [], [0, 1], [2]], {
      definitionId: tested.newDefinition(),
      timeoutMs: 3_600_000,
    });
    id = await worker.startOne(of);
    await worker.complete([outcomeOf(of, id, 0, { output: '{"kept":1}' }), failureOf(of, id, 1)]);
    for (const taskNo of [2, 3]) {
      await worker.complete([
        outcomeOf(of, id, taskNo, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
    }
  });

  /** Resets what failed, as long as the execution has ended. */
  function reset(seen: LockedExecution[] = []): Promise<number | undefined> {
    return tested.store.reset(id, (execution) => {
      seen.push(execution);
      if (execution.status !== 'Failed') throw new Error(`It is ${execution.status}.`);
      return Promise.resolve({ tasks: RESET, leaves: 1 });
    });
  }

  test('is decided on the rows as they are, and begins a new run of what is reset', async () => {
    const before = await tested.rowsOf(id);
    const seen: LockedExecution[] = [];
    expect(await reset(seen)).toBeLessThanOrEqual(0);

    expect(seen).toEqual([
      {
        definitionId: of.plan.definitionId,
        status: 'Failed',
        generation: 0,
        unsettled: 0,
        tasks: [
          { taskNo: 0, status: 'Completed', skipReason: null },
          { taskNo: 1, status: 'Failed', skipReason: null },
          { taskNo: 2, status: 'Skipped', skipReason: 'upstreamFailure' },
          { taskNo: 3, status: 'Skipped', skipReason: 'upstreamFailure' },
        ],
      },
    ]);
    const { execution, tasks, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({
      status: 'Running',
      generation: 1,
      remaining_leaves: 1,
      unhandled_failures: 0,
      completed_at: null,
      deadline_at: expect.any(Date),
    });
    expect(tasks[0]).toEqual(before.tasks[0]);
    expect(tasks[1]).toMatchObject({
      status: 'Ready',
      run_at: expect.any(Date),
      generation: 1,
      attempt: 0,
      attempts: null,
      error: null,
      started_at: null,
      completed_at: null,
    });
    expect(tasks.slice(2)).toEqual([
      expect.objectContaining({ status: 'NotStarted', pending_dependencies: 1, skip_reason: null }),
      expect.objectContaining({ status: 'NotStarted', pending_dependencies: 1, run_at: null }),
    ]);
    expect(events.slice(-5).map(({ kind, task_no: taskNo }) => [kind, taskNo])).toEqual([
      ['failed', null],
      ['reset', 1],
      ['reset', 2],
      ['reset', 3],
      ['executionRetried', null],
    ]);
    expect(
      events.find(({ kind, task_no: taskNo }) => kind === 'reset' && taskNo === 1),
    ).toMatchObject({
      detail: {
        status: 'Failed',
        error: { message: 'task 1' },
        attempts: [{ attempt: 1 }],
        startedAt: expect.any(String),
        completedAt: expect.any(String),
      },
    });
  });

  test('the new run ends the execution by its own counts', async () => {
    const next = (taskNo: number): unknown =>
      expect.objectContaining({ taskNo, generation: 1, token: heldToken(2) });
    await reset();
    expect(await worker.claim([of.plan.definitionId], 100)).toEqual([
      expect.objectContaining({ taskNo: 1, token: heldToken(2), generation: 1, attempt: 0 }),
    ]);
    expect((await worker.complete([outcomeOf(of, id, 1)])).readied).toEqual([next(2)]);
    expect((await worker.complete([outcomeOf(of, id, 2)])).readied).toEqual([next(3)]);
    const { ended } = await worker.complete([outcomeOf(of, id, 3)]);
    expect(ended).toEqual([expect.objectContaining({ status: 'Completed' })]);
  });

  test('of five at once one wins', async () => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => reset()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { execution, events } = await tested.rowsOf(id);
    expect(execution).toMatchObject({ generation: 1 });
    expect(events.filter(({ kind }) => kind === 'executionRetried')).toHaveLength(1);
  });

  test('nothing to do, or a decision that fails, leaves everything as it is', async () => {
    const before = await tested.rowsOf(id);
    expect(await tested.store.reset(id, () => Promise.resolve(null))).toBe(0);
    await expect(
      tested.store.reset(id, () => Promise.reject(new Error('no definition'))),
    ).rejects.toThrow('no definition');
    expect(await tested.rowsOf(id)).toEqual(before);
    expect(
      await tested.store.reset('00000000-0000-7000-8000-000000000000', () => Promise.resolve(null)),
    ).toBeUndefined();
  });
}
