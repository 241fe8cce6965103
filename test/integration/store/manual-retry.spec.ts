import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  lockForReset,
  resetExecutions,
  resetValues,
} from '../../../lib/store/postgres/statements/reset-execution.js';
import { untilStoreWaits } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import type { Session } from './session.js';
import { failureOf, outcomeOf, workflow } from '../../conformance/workflows.js';
import type { LockedExecution, ResetTask } from '../../../lib/store/port/index.js';

// 2 depends on 0, which completed, and on 1, which failed; 3 on 2.
const of = workflow([[], [], [0, 1], [2]], { timeoutMs: 60_000 });
const RESET: ResetTask[] = [
  { taskNo: 1, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true },
  { taskNo: 2, pendingDependencies: 1, unmetDependencies: 0, keepsSteps: true },
  { taskNo: 3, pendingDependencies: 1, unmetDependencies: 0, keepsSteps: true },
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

test('of two at once one wins, and the other decides on what that one made', async () => {
  const seen: LockedExecution[] = [];
  await session.begin();
  await session.run(lockForReset, [id]);
  const other = reset(seen).catch((error: Error) => error.message);
  await untilStoreWaits(open);
  await session.run(resetExecutions, resetValues([{ id, tasks: RESET, leaves: 1 }]));
  await session.commit();

  expect(await other).toBe('It is Running.');
  expect(seen[0]?.tasks.map(({ status }) => status)).toEqual([
    'Completed',
    'Ready',
    'NotStarted',
    'NotStarted',
  ]);
});
