import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { awaitExecution } from '../../../lib/store/postgres/statements/execution-rows.js';
import { race } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf } from './rows.js';
import type { Session } from './session.js';
import { failureOf, outcomeOf, parallel, workflow } from '../../conformance/workflows.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

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
      { outcome: 0, status: 'Failed', hasWaiters: false, contextMissing: true },
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

  test('both in one batch, one of them failed', async () => {
    const id = await first.startOne(leaves);
    const { ended } = await first.complete([failureOf(leaves, id, 0), outcomeOf(leaves, id, 1)]);
    expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
    expect((await rowsOf(open, id)).execution).toMatchObject({
      status: 'Failed',
      remaining_leaves: 0,
      unhandled_failures: 1,
    });
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

test('a failure in the middle and the last leaf in one batch', async () => {
  const of = workflow([[], [0], []]);
  const id = await first.startOne(of);
  await first.complete([outcomeOf(of, id, 2)]);
  const { readied } = await first.complete([failureOf(of, id, 0)]);
  expect(readied).toEqual([expect.objectContaining({ taskNo: 1, unmetDependencies: 1 })]);

  const { ended } = await first.complete([
    outcomeOf(of, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
  ]);

  expect(ended).toEqual([expect.objectContaining({ status: 'Failed' })]);
  expect(await taskOf(open, id, 1)).toMatchObject({
    status: 'Skipped',
    skip_reason: 'upstreamFailure',
  });
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

  test('a failure whose handler completed is none of the execution', async () => {
    const id = await withFailure();
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 1 });

    const { ended } = await first.complete([
      outcomeOf(handling, id, 1, { handles: [0] }),
      outcomeOf(handling, id, 2),
      outcomeOf(handling, id, 3),
    ]);

    expect(ended).toEqual([expect.objectContaining({ status: 'Completed' })]);
    expect(await taskOf(open, id, 0)).toMatchObject({ status: 'Failed', failure_handled: true });
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 0 });
  });

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

  test('two handlers in one batch count once', async () => {
    const id = await withFailure();
    await first.complete([
      outcomeOf(handling, id, 1, { handles: [0] }),
      outcomeOf(handling, id, 2, { handles: [0] }),
    ]);
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 0 });
  });

  test('a handler that lost its claim handles nothing', async () => {
    const id = await withFailure();
    const before = await rowsOf(open, id);
    const stale = outcomeOf(handling, id, 1, { handles: [0], token: FIRST_TOKEN + 4 });
    expect((await first.complete([stale])).accepted).toEqual([false]);
    expect(await rowsOf(open, id)).toEqual(before);
  });

  test('beside one that lost its claim, the other handles', async () => {
    const id = await withFailure();
    const { accepted } = await first.complete([
      outcomeOf(handling, id, 1, { handles: [0], token: FIRST_TOKEN + 4 }),
      outcomeOf(handling, id, 2, { handles: [0] }),
    ]);
    expect(accepted).toEqual([false, true]);
    expect(await taskOf(open, id, 0)).toMatchObject({ failure_handled: true });
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 0 });
  });

  test('a handler that fails handles nothing', async () => {
    const id = await withFailure();
    await first.complete([failureOf(handling, id, 1, { handles: [0] })]);
    expect(await taskOf(open, id, 0)).toMatchObject({ failure_handled: false });
    expect((await rowsOf(open, id)).execution).toMatchObject({ unhandled_failures: 2 });
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

describe('the final context', () => {
  test('is written with the end by who knows all of it', async () => {
    const id = await first.startOne(parallel(1));
    const { ended } = await first.complete([
      outcomeOf(parallel(1), id, 0, { finalContext: '{"a":1}' }),
    ]);
    expect(ended).toEqual([expect.objectContaining({ contextMissing: false })]);
    expect((await rowsOf(open, id)).execution?.context).toEqual({ a: 1 });
  });

  test('is not written by a leaf that is not the last', async () => {
    const id = await first.startOne(leaves);
    await first.complete([outcomeOf(leaves, id, 0, { finalContext: '{"a":1}' })]);
    expect((await rowsOf(open, id)).execution?.context).toBeNull();
  });

  test('is written once when it was missing, and only for the run it belongs to', async () => {
    const id = await first.startOne(parallel(1));
    await open.store.writeFinalContext(id, '{"early":1}', 0);
    expect((await rowsOf(open, id)).execution?.context).toBeNull();

    await first.complete([outcomeOf(parallel(1), id, 0)]);
    await open.store.writeFinalContext(id, '{"other":"run"}', 1);
    expect((await rowsOf(open, id)).execution?.context).toBeNull();

    await open.store.writeFinalContext(id, '{"a":1}', 0);
    await open.store.writeFinalContext(id, '{"again":1}', 0);
    expect((await rowsOf(open, id)).execution?.context).toEqual({ a: 1 });
  });
});

describe('waiting for the end', () => {
  const of = parallel(1);

  test('who asks before the end is known to the one who ends it', async () => {
    const id = await first.startOne(of);
    expect(await open.store.await(id)).toBe('Running');
    const { ended } = await first.complete([outcomeOf(of, id, 0)]);
    expect(ended).toEqual([expect.objectContaining({ hasWaiters: true })]);
  });

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
    expect(asked).toEqual([['Completed']]);
  });

  test('who asks for one that is not there learns that', async () => {
    expect(await open.store.await('00000000-0000-7000-8000-000000000000')).toBeUndefined();
  });
});
