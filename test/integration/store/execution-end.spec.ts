import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { awaitExecution } from '../../../lib/store/postgres/statements/execution-rows.js';
import { race } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';
import { failureOf, outcomeOf, parallel, workflow } from '../../conformance/workflows.js';

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

const leaves = parallel(2);

describe('two leaves that end at once', () => {
  test.each([
    ['the one that gets there first', 0],
    ['the one that gets there last', 1],
  ])('%s failed: so has the execution', async (_, failed) => {
    const id = await first.startOne(leaves);
    const ended = (taskNo: number) =>
      (taskNo === failed ? failureOf : outcomeOf)(leaves, id, taskNo);

    const [early, late] = await race(
      open,
      keeper,
      [{ executionId: id }],
      [
        [first, (session) => session.complete([ended(0)])],
        [second, (session) => session.complete([ended(1)])],
      ],
    );

    expect(early?.ended).toEqual([]);
    expect(late?.ended).toEqual([
      { outcome: 0, status: 'Failed', hasWaiters: false, contextMissing: true, unsettled: 0 },
    ]);
    const { execution, events } = await rowsOf(open, id);
    expect(execution).toMatchObject({
      status: 'Failed',
      remaining_leaves: 0,
      unhandled_failures: 1,
      completed_at: expect.any(Date),
    });
    expect(events).toEqual([expect.objectContaining({ kind: 'failed', task_no: null })]);
  });

  test('both completed: one of the two ends the execution', async () => {
    const id = await first.startOne(leaves);
    const results = await race(
      open,
      keeper,
      [{ executionId: id }],
      [
        [first, (session) => session.complete([outcomeOf(leaves, id, 0)])],
        [second, (session) => session.complete([outcomeOf(leaves, id, 1)])],
      ],
    );
    expect(results.map(({ ended }) => ended.map(({ status }) => status))).toEqual([
      [],
      ['Completed'],
    ]);
    expect((await rowsOf(open, id)).execution).toMatchObject({ status: 'Completed' });
  });
});

test('three leaves at once, the middle one failed: Failed, never Completed', async () => {
  const of = parallel(3);
  const id = await first.startOne(of);
  const results = await race(
    open,
    keeper,
    [{ executionId: id }],
    [
      [first, (session) => session.complete([outcomeOf(of, id, 0)])],
      [second, (session) => session.complete([failureOf(of, id, 1)])],
      [third, (session) => session.complete([outcomeOf(of, id, 2)])],
    ],
  );
  expect(results.flatMap(({ ended }) => ended.map(({ status }) => status))).toEqual(['Failed']);
});

describe('handled failures', () => {
  // 0 may fail; 1 and 2 handle that; 3 has nothing to do with it.
  const handling = workflow([[], [0], [0], []]);

  /** 0 has failed, and its handlers are claimed. */
  async function withFailure(): Promise<string> {
    const id = await first.startOne(handling);
    await first.complete([failureOf(handling, id, 0)]);
    return id;
  }

  test('two handlers at once count once, so another failure still counts', async () => {
    const id = await withFailure();

    await race(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, (session) => session.complete([outcomeOf(handling, id, 1, { handles: [0] })])],
        [second, (session) => session.complete([outcomeOf(handling, id, 2, { handles: [0] })])],
      ],
    );
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 0 });

    const { ended } = await third.complete([failureOf(handling, id, 3)]);
    expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
  });

  test('a failure and the last leaf at once, with the handler of the failure', async () => {
    const id = await withFailure();
    await first.complete([outcomeOf(handling, id, 2)]);

    const results = await race(
      open,
      keeper,
      [{ executionId: id }],
      [
        [first, (session) => session.complete([outcomeOf(handling, id, 3)])],
        [second, (session) => session.complete([outcomeOf(handling, id, 1, { handles: [0] })])],
      ],
    );

    expect(results.flatMap(({ ended }) => ended.map(({ status }) => status))).toEqual([
      'Completed',
    ]);
  });
});

describe('waiting for the end', () => {
  const of = parallel(1);

  test('who asks while it ends is told that it has', async () => {
    const id = await first.startOne(of);
    const [, asked] = await race<unknown>(
      open,
      keeper,
      [{ executionId: id }],
      [
        [first, (session) => session.complete([outcomeOf(of, id, 0)])],
        [second, (session) => session.run(awaitExecution, [id])],
      ],
    );
    expect(asked).toEqual([{ id, status: 'Completed' }]);
  });
});
