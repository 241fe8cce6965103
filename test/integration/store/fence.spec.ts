import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import { heldToken } from '../../support/claim-tokens.js';
import {
  failureOf,
  noLease,
  outcomeOf,
  rescheduleOf,
  workflow,
} from '../../conformance/workflows.js';
import { FIRST_TOKEN, type OutcomeDetail } from '../../../lib/store/port/index.js';

// 1 depends on 0; 2 is alone, so that the execution has a leaf that runs too.
const of = workflow([[], [0], []]);
const DETAIL: OutcomeDetail = {
  error: { message: 'late' },
  deletedKeys: ['key'],
  events: [{ kind: 'taskFailed', detail: {} }],
};

let open: OpenStore;
let first: Session;
let second: Session;
let id: string;

beforeAll(async () => {
  open = await openStore();
  first = await open.connect();
  second = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  id = await first.startOne(of);
});

/** Late outcomes of every kind, of the task with a dependent and of the leaf. */
async function expectRefused(token: number): Promise<void> {
  const before = await rowsOf(open, id);
  for (const taskNo of [0, 2]) {
    for (const outcome of [
      outcomeOf(of, id, taskNo, { token, output: '{"late":1}', finalContext: '{}' }),
      failureOf(of, id, taskNo, { token, detail: DETAIL }),
      outcomeOf(of, id, taskNo, { token, status: 'Skipped', detail: { skipReason: 'rule' } }),
    ]) {
      expect(await second.complete([outcome])).toEqual({
        accepted: [false],
        readied: [],
        ended: [],
      });
    }
    for (const kind of ['retry', 'defer', 'giveBack'] as const) {
      const item = rescheduleOf(kind, id, taskNo, { token, error: { message: 'late' } });
      expect(await open.store.reschedule([item])).toEqual([false]);
    }
  }
  expect(await rowsOf(open, id)).toEqual(before);
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
    await first.complete([outcomeOf(of, id, 0), outcomeOf(of, id, 2)]);
    await expectRefused(FIRST_TOKEN);
  });

  test('after a failure', async () => {
    await first.complete([failureOf(of, id, 0), failureOf(of, id, 2)]);
    await expectRefused(FIRST_TOKEN);
  });

  test('after a cancel', async () => {
    expect(await open.store.cancel(id, 'enough')).toEqual({
      changed: true,
      workflow: expect.any(String),
      hasWaiters: false,
      running: [0, 2],
    });
    expect((await rowsOf(open, id)).tasks.map((task) => [task.status, task.claim_token])).toEqual([
      ['Cancelled', FIRST_TOKEN + 1],
      ['Cancelled', 0],
      ['Cancelled', FIRST_TOKEN + 1],
    ]);
    await expectRefused(FIRST_TOKEN);
  });

  test("after the workflow's timeout", async () => {
    await open.admin.query(
      `UPDATE ${open.tables.execution} SET deadline_at = now() WHERE id = $1`,
      [id],
    );
    const overdue = await open.store.pastDeadlines();
    const ended = await open.store.timeOut(overdue, () => ({ message: 'too long' }));
    expect(ended).toEqual([{ id, hasWaiters: false, wasRunning: true }]);
    await expectRefused(FIRST_TOKEN);
  });

  test('after the claim was given back', async () => {
    await open.store.reschedule([
      rescheduleOf('giveBack', id, 0),
      rescheduleOf('giveBack', id, 2, { delayMs: 60_000 }),
    ]);
    await expectRefused(FIRST_TOKEN);
  });

  test('after another process took the task from a lost one', async () => {
    await open.admin.query(
      `UPDATE ${open.tables.task} SET claim_token = claim_token + 1, owner = gen_random_uuid(),
              recovery_attempts = recovery_attempts + 1
       WHERE execution_id = $1 AND status = 'Running'`,
      [id],
    );
    await expectRefused(FIRST_TOKEN);
  });

  test('after a manual retry: the next run has tokens of its own', async () => {
    await first.complete([failureOf(of, id, 0), failureOf(of, id, 2)]);
    await first.complete([
      outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
    ]);
    await open.store.reset(id, () =>
      Promise.resolve({
        tasks: [0, 1, 2].map((taskNo) => ({
          taskNo,
          pendingDependencies: taskNo === 1 ? 1 : 0,
          unmetDependencies: 0,
        })),
        leaves: 2,
      }),
    );
    await expectRefused(FIRST_TOKEN);
    const claims = (await first.claim(['1'], 10)).filter((claim) => claim.executionId === id);
    expect(claims.map(({ taskNo, token }) => [taskNo, token])).toEqual([
      [0, heldToken(2)],
      [2, heldToken(2)],
    ]);
    await expectRefused(FIRST_TOKEN);
  });
});

test('only the outcome without its claim is left out of a batch', async () => {
  const other = await first.startOne(of);
  const { accepted, readied } = await first.complete([
    outcomeOf(of, id, 0, { token: FIRST_TOKEN + 4 }),
    outcomeOf(of, id, 2),
    outcomeOf(of, other, 0),
    failureOf(of, other, 2, { token: FIRST_TOKEN + 4 }),
  ]);
  expect(accepted).toEqual([false, true, true, false]);
  expect(readied).toEqual([expect.objectContaining({ outcome: 2, taskNo: 1 })]);
  expect((await rowsOf(open, id)).execution).toMatchObject({ remaining_leaves: 1 });
  expect((await rowsOf(open, other)).execution).toMatchObject({
    remaining_leaves: 2,
    unhandled_failures: 0,
  });
});

test('only the claim that is held is given back of a batch', async () => {
  const accepted = await open.store.reschedule([
    rescheduleOf('retry', id, 0, { token: FIRST_TOKEN + 4 }),
    rescheduleOf('retry', id, 2),
  ]);
  expect(accepted).toEqual([false, true]);
  expect(await taskOf(open, id, 0)).toMatchObject({ status: 'Running', attempt: 0 });
  expect(await taskOf(open, id, 2)).toMatchObject({ status: 'Ready', attempt: 1 });
});

test('a pause takes no claim away: what runs may record its outcome', async () => {
  await open.store.pause(id, null);
  expect((await open.store.complete([outcomeOf(of, id, 0)], noLease())).accepted).toEqual([true]);
});

describe('sent again while nobody knows what became of the first send', () => {
  test('it waits for the first, and is refused when that was committed', async () => {
    await first.begin();
    await first.complete([outcomeOf(of, id, 0)]);
    const again = second.complete([outcomeOf(of, id, 0)]);
    await untilWaiting(open.admin, [second]);
    await first.commit();

    expect((await again).accepted).toEqual([false]);
    expect(await taskOf(open, id, 1)).toMatchObject({
      pending_dependencies: 0,
      claim_token: heldToken(1),
    });
    // The row tells who asks that it was this claim's outcome.
    expect(await open.store.outcomes([{ executionId: id, taskNo: 0 }])).toEqual([
      expect.objectContaining({ status: 'Completed', token: FIRST_TOKEN + 1 }),
    ]);
  });

  test('it is recorded when the first was rolled back', async () => {
    await first.begin();
    await first.complete([outcomeOf(of, id, 0)]);
    const again = second.complete([outcomeOf(of, id, 0)]);
    await untilWaiting(open.admin, [second]);
    await first.rollback();

    expect((await again).accepted).toEqual([true]);
    expect(await taskOf(open, id, 1)).toMatchObject({
      pending_dependencies: 0,
      owner: second.claimant.instanceId,
    });
  });
});

test('a claim that is lost while its outcome waits for the row writes nothing', async () => {
  await first.begin();
  await first.client.query(
    `UPDATE ${open.tables.task} SET claim_token = claim_token + 1, status = 'Ready', owner = NULL,
            run_at = now() WHERE execution_id = $1 AND task_no = 0`,
    [id],
  );
  const late = second.complete([outcomeOf(of, id, 0)]);
  await untilWaiting(open.admin, [second]);
  await first.commit();
  const before = await rowsOf(open, id);

  expect((await late).accepted).toEqual([false]);
  expect(await rowsOf(open, id)).toEqual(before);
});
