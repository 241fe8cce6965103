import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  lockForReset,
  resetExecution,
  resetValues,
} from '../../../lib/store/postgres/statements/reset-execution.js';
import { untilStoreWaits } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';
import { heldToken } from '../../support/claim-tokens.js';
import { failureOf, outcomeOf, workflow } from '../../conformance/workflows.js';
import type { LockedExecution, ResetTask } from '../../../lib/store/port/index.js';

// 2 depends on 0, which completed, and on 1, which failed; 3 on 2.
const of = workflow([[], [], [0, 1], [2]], { timeoutMs: 60_000 });
const RESET: ResetTask[] = [
  { taskNo: 1, pendingDependencies: 0, unmetDependencies: 0 },
  { taskNo: 2, pendingDependencies: 1, unmetDependencies: 0 },
  { taskNo: 3, pendingDependencies: 1, unmetDependencies: 0 },
];

let open: OpenStore;
let session: Session;
let id: string;

beforeAll(async () => {
  open = await openStore();
  session = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  id = await session.startOne(of);
  await session.complete([outcomeOf(of, id, 0, { output: '{"kept":1}' }), failureOf(of, id, 1)]);
  for (const taskNo of [2, 3]) {
    await session.complete([
      outcomeOf(of, id, taskNo, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
    ]);
  }
});

/** Resets what failed, as long as the execution has ended. */
function reset(seen: LockedExecution[] = []): Promise<number | undefined> {
  return open.store.reset(id, (execution) => {
    seen.push(execution);
    if (execution.status !== 'Failed') throw new Error(`It is ${execution.status}.`);
    return Promise.resolve({ tasks: RESET, leaves: 1 });
  });
}

test('is decided on the rows as they are, and begins a new run of what is reset', async () => {
  const before = await rowsOf(open, id);
  const seen: LockedExecution[] = [];
  await reset(seen);

  expect(seen).toEqual([
    {
      definitionId: '1',
      status: 'Failed',
      generation: 0,
      tasks: [
        { taskNo: 0, status: 'Completed', skipReason: null },
        { taskNo: 1, status: 'Failed', skipReason: null },
        { taskNo: 2, status: 'Skipped', skipReason: 'upstreamFailure' },
        { taskNo: 3, status: 'Skipped', skipReason: 'upstreamFailure' },
      ],
    },
  ]);
  const { execution, tasks, events } = await rowsOf(open, id);
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
  expect(events.map(({ kind, task_no }) => [kind, task_no])).toEqual(
    expect.arrayContaining([
      ['failed', null],
      ['reset', 1],
      ['reset', 2],
      ['reset', 3],
      ['executionRetried', null],
    ]),
  );
  expect(events.find(({ kind, task_no }) => kind === 'reset' && task_no === 1)).toMatchObject({
    detail: { status: 'Failed', error: { message: 'task 1' } },
  });
});

test('the new run ends the execution by its own counts', async () => {
  const next = (taskNo: number): unknown =>
    expect.objectContaining({ taskNo, generation: 1, token: heldToken(2) });
  await reset();
  const claims = await session.claim(['1'], 100);
  const claim = claims.find(({ executionId }) => executionId === id);
  expect(claim).toMatchObject({ taskNo: 1, token: heldToken(2), generation: 1, attempt: 0 });
  expect((await session.complete([outcomeOf(of, id, 1)])).readied).toEqual([next(2)]);
  expect((await session.complete([outcomeOf(of, id, 2)])).readied).toEqual([next(3)]);
  const { ended } = await session.complete([outcomeOf(of, id, 3)]);
  expect(ended).toEqual([expect.objectContaining({ status: 'Completed' })]);
});

test('of two at once one wins, and the other decides on what that one made', async () => {
  const seen: LockedExecution[] = [];
  await session.begin();
  await session.run(lockForReset, [id]);
  const other = reset(seen).catch((error: Error) => error.message);
  await untilStoreWaits(open);
  await session.run(resetExecution, resetValues(id, RESET, 1));
  await session.commit();

  expect(await other).toBe('It is Running.');
  expect(seen[0]?.tasks.map(({ status }) => status)).toEqual([
    'Completed',
    'Ready',
    'NotStarted',
    'NotStarted',
  ]);
});

test('of five at once one wins', async () => {
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => reset()));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const { execution, events } = await rowsOf(open, id);
  expect(execution).toMatchObject({ generation: 1 });
  expect(events.filter(({ kind }) => kind === 'executionRetried')).toHaveLength(1);
});

test('nothing to do, or a decision that fails, leaves everything as it is', async () => {
  const before = await rowsOf(open, id);
  expect(await open.store.reset(id, () => Promise.resolve(null))).toBe(0);
  await expect(
    open.store.reset(id, () => Promise.reject(new Error('no definition'))),
  ).rejects.toThrow('no definition');
  expect(await rowsOf(open, id)).toEqual(before);
  expect(
    await open.store.reset('00000000-0000-7000-8000-000000000000', () => Promise.resolve(null)),
  ).toBeUndefined();
});
