import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { completeTasks } from '../../../lib/store/postgres/statements/complete-tasks.js';
import { race } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { taskOf } from './rows.js';
import { variant, type Session } from './session.js';
import { claimCount, heldToken, isHeld } from '../../support/claim-tokens.js';
import { failureOf, fanIn, outcomeOf, workflow } from '../../conformance/workflows.js';
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
      { executionId: id, taskNo: 0 },
      { executionId: id, taskNo: 1 },
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

  expect(results.map(({ readied }) => readied.length)).toEqual([0, 0, 1]);
  expect(await taskOf(open, id, 3)).toMatchObject({
    status: 'Running',
    owner: third.claimant.instanceId,
    pending_dependencies: 0,
    unmet_dependencies: 2,
  });
});

describe('in one batch', () => {
  test('both dependencies count, and the dependent is claimed once', async () => {
    const id = await first.startOne(join);

    const { accepted, readied } = await first.complete([
      outcomeOf(join, id, 0),
      failureOf(join, id, 1),
    ]);

    expect(accepted).toEqual([true, true]);
    expect(readied).toEqual([
      expect.objectContaining({ taskNo: 2, token: heldToken(1), claimed: true }),
    ]);
    expect(await taskOf(open, id, 2)).toMatchObject({
      status: 'Running',
      pending_dependencies: 0,
      unmet_dependencies: 1,
      claim_token: heldToken(1),
    });
  });

  test('a dependent is claimed when any of its dependencies found room for it', async () => {
    const id = await first.startOne(join);
    const { readied } = await first.complete([
      outcomeOf(join, id, 0, { claim: false }),
      outcomeOf(join, id, 1, { claim: true }),
    ]);
    expect(readied).toEqual([expect.objectContaining({ taskNo: 2, claimed: true })]);
  });

  test('every dependent of many executions gets its own count', async () => {
    // A diamond: 1 and 2 depend on 0, 3 on both.
    const diamond = workflow([[], [0], [0], [1, 2]]);
    const ids = await first.startMany(diamond, 50);
    const fanOut = await first.complete(ids.map((id) => outcomeOf(diamond, id, 0)));
    expect(fanOut.readied).toHaveLength(100);
    expect(
      fanOut.readied.every(
        ({ claimed, token }) => claimed && claimCount(token) === 1 && isHeld(token),
      ),
    ).toBe(true);

    const joined = await first.complete(
      ids.flatMap((id) => [outcomeOf(diamond, id, 1), outcomeOf(diamond, id, 2)]),
    );

    expect(joined.accepted).toEqual(new Array(100).fill(true));
    expect(joined.readied.map(({ taskNo }) => taskNo)).toEqual(new Array(50).fill(3));
    const { rows } = await open.admin.query(
      `SELECT DISTINCT status, pending_dependencies FROM ${open.tables.task}
       WHERE execution_id = ANY ($1) AND task_no = 3`,
      [ids],
    );
    expect(rows).toEqual([{ status: 'Running', pending_dependencies: 0 }]);
  });
});
