import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { completeTasks } from '../../../lib/store/postgres/statements/complete-tasks.js';
import { race } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { taskOf } from './rows.js';
import { variant, type Session } from './session.js';
import { heldToken } from '../../support/claim-tokens.js';
import { failureOf, fanIn, outcomeOf } from '../../conformance/workflows.js';
import type { Outcome } from '../../../lib/store/port/index.js';

let open: OpenStore;
let keeper: Session;
let first: Session;
let second: Session;
let third: Session;

beforeAll(async () => {
  open = await openStore();
  keeper = await open.connect();
  first = await open.connect();
  second = await open.connect();
  third = await open.connect();
});
afterAll(() => open.close());

const join = fanIn(2);

/** Two statements with one outcome each; both have begun when the first of them gets the dependent. */
function completeAtOnce(id: string, outcomes: readonly [Outcome, Outcome]) {
  return race(
    open,
    keeper,
    [{ executionId: id, taskNo: 2 }],
    [
      [first, (session) => session.complete([outcomes[0]])],
      [second, (session) => session.complete([outcomes[1]])],
    ],
  );
}

describe('two dependencies that complete at once', () => {
  test('one of the two claims the dependent, which both have counted', async () => {
    const id = await first.startOne(join);

    const [early, late] = await completeAtOnce(id, [
      outcomeOf(join, id, 0),
      outcomeOf(join, id, 1),
    ]);

    expect(early).toEqual({ accepted: [true], readied: [], ended: [] });
    expect(late?.readied).toEqual([
      {
        outcome: 0,
        taskNo: 2,
        claimed: true,
        paused: false,
        token: heldToken(1),
        unmetDependencies: 0,
        generation: 0,
        wakes: 0,
        hasSteps: false,
      },
    ]);
    expect(await taskOf(open, id, 2)).toMatchObject({
      status: 'Running',
      pending_dependencies: 0,
      claim_token: heldToken(1),
      owner: second.claimant.instanceId,
      run_at: null,
    });
  });

  test('what the claimant reads after the claim is there from both', async () => {
    const id = await first.startOne(join);
    await completeAtOnce(id, [
      outcomeOf(join, id, 0, { output: '{"a":1}' }),
      outcomeOf(join, id, 1, { output: '{"b":2}' }),
    ]);

    const inputs = await open.store.outcomes([
      { executionId: id, taskNo: 0, itemNo: 0 },
      { executionId: id, taskNo: 1, itemNo: 0 },
    ]);
    expect(inputs.map(({ taskNo, status, output }) => [taskNo, status, output])).toEqual([
      [0, 'Completed', '{"a":1}'],
      [1, 'Completed', '{"b":2}'],
    ]);
  });

  test('read in the claiming statement itself, one of them is not there yet', async () => {
    const reading = variant(
      completeTasks,
      [
        "WHEN i.status = 'Failed' THEN t.attempt + 1 ELSE t.attempt END",
        "WHEN i.status = 'Failed' THEN t.attempt + 1 ELSE t.attempt END, error = json_build_object('seen', " +
          '(SELECT s.status FROM ' +
          `${open.tables.task} s WHERE s.execution_id = t.execution_id AND s.task_no = 0))`,
      ],
      ["error = i.detail::json -> 'error',", ''],
    );
    const id = await first.startOne(join);

    await race(
      open,
      keeper,
      [{ executionId: id, taskNo: 2 }],
      [
        [first, (session) => session.complete([outcomeOf(join, id, 0)])],
        [second, (session) => session.complete([outcomeOf(join, id, 1)], reading)],
      ],
    );

    expect((await taskOf(open, id, 1)).error).toEqual({ seen: 'Running' });
  });

  test.each([
    ['the first has room, the second has not', true, false, 'Ready'],
    ['the second has room, the first has not', false, true, 'Running'],
    ['neither has room', false, false, 'Ready'],
  ])('%s', async (_, firstClaims, secondClaims, status) => {
    const id = await first.startOne(join);

    const [, late] = await completeAtOnce(id, [
      outcomeOf(join, id, 0, { claim: firstClaims }),
      outcomeOf(join, id, 1, { claim: secondClaims }),
    ]);

    expect(late?.readied).toEqual([
      expect.objectContaining({
        taskNo: 2,
        claimed: secondClaims,
        token: secondClaims ? heldToken(1) : 0,
      }),
    ]);
    expect(await taskOf(open, id, 2)).toMatchObject({
      status,
      owner: secondClaims ? second.claimant.instanceId : null,
      run_at: secondClaims ? null : expect.any(Date),
      started_at: secondClaims ? expect.any(Date) : null,
    });
  });

  test('one of them failed: the dependent is claimed to be decided', async () => {
    const id = await first.startOne(join);

    const [, late] = await completeAtOnce(id, [failureOf(join, id, 0), outcomeOf(join, id, 1)]);

    expect(late?.readied).toEqual([
      expect.objectContaining({ taskNo: 2, claimed: true, unmetDependencies: 1 }),
    ]);
    expect(await taskOf(open, id, 2)).toMatchObject({
      pending_dependencies: 0,
      unmet_dependencies: 1,
    });
  });
});

test('three dependencies at once: the last of them claims', async () => {
  const of = fanIn(3);
  const id = await first.startOne(of);

  const sessions = [first, second, third];
  const results = await race(
    open,
    keeper,
    [{ executionId: id, taskNo: 3 }],
    [
      [first, (session) => session.complete([outcomeOf(of, id, 0)])],
      [second, (session) => session.complete([failureOf(of, id, 1)])],
      [third, (session) => session.complete([failureOf(of, id, 2)])],
    ],
  );

  // Beyond the first, PostgreSQL promises no order among those that wait for a row.
  const counts = results.map(({ readied }) => readied.length);
  expect(counts.toSorted()).toEqual([0, 0, 1]);
  expect(await taskOf(open, id, 3)).toMatchObject({
    status: 'Running',
    owner: sessions[counts.indexOf(1)]?.claimant.instanceId,
    pending_dependencies: 0,
    unmet_dependencies: 2,
  });
});
