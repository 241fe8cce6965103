import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  bulkReplyOf,
  controlExecutions,
} from '../../../lib/store/postgres/statements/control-executions.js';
import {
  deleteExecutions,
  deletionOf,
} from '../../../lib/store/postgres/statements/delete-executions.js';
import { plainArray } from '../../../lib/store/postgres/statements/encoding.js';
import {
  MAX_BULK,
  type BulkAction,
  type BulkReply,
  type BulkReset,
  type LockedForRetry,
} from '../../../lib/store/port/index.js';
import { fanIn, outcomeOf, parallel } from '../../conformance/workflows.js';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, statusesOf } from './rows.js';
import type { Session } from './session.js';

/** The advisory lock at which a statement waits. */
const GATE = 7;

const join = fanIn(2);

let open: OpenStore;
let session: Session;
let other: Session;

beforeAll(async () => {
  open = await openStore();
  session = await open.connect();
  other = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  await open.admin.query(`TRUNCATE ${open.tables.execution}, ${open.tables.task}`);
});

async function control(action: BulkAction, ids: readonly string[]): Promise<BulkReply> {
  const values = [plainArray(ids), null, null];
  return bulkReplyOf(await session.run(controlExecutions[action], values));
}

const changedOf = ({ changed }: BulkReply): string[] => changed.map(({ id }) => id).toSorted();

describe('rows that others have locked', () => {
  test.each([
    ['task', (): string => `${open.tables.task} WHERE execution_id = $1 AND task_no = 2`],
    ['execution', (): string => `${open.tables.execution} WHERE id = $1`],
  ])('leave their execution alone out if it is a %s, and nothing waits', async (_, place) => {
    const ids = await session.startMany(join, 3);
    const [first, second, third] = ids;
    await other.begin();
    await other.client.query(`SELECT FROM ${place()} FOR UPDATE`, [second]);
    const reply = await control('cancel', ids);
    expect(changedOf(reply)).toEqual([first!, third!].toSorted());
    expect(reply.left).toEqual([second]);
    await other.commit();
    expect(await statusesOf(open, second!)).toEqual(['Running', 'Running', 'NotStarted']);
    expect(changedOf(await control('cancel', reply.left))).toEqual([second]);
  });

  test('leave out a tree that is to be deleted', async () => {
    const ids = await session.startMany(join, 2);
    await control('cancel', ids);
    await other.begin();
    await other.client.query(
      `SELECT FROM ${open.tables.task} WHERE execution_id = $1 AND task_no = 1 FOR UPDATE`,
      [ids[0]],
    );
    const remove = async (some: readonly string[]) =>
      deletionOf(await session.run(deleteExecutions, [plainArray(some)]));
    expect(await remove(ids)).toEqual({ deleted: [ids[1]], left: [ids[0]] });
    expect(await statusesOf(open, ids[0]!)).toHaveLength(3);
    await other.commit();
    expect(await remove([ids[0]!])).toEqual({ deleted: [ids[0]], left: [] });
  });
});

describe('a manual retry of many', () => {
  const tasks = [0, 1, 2].map((taskNo) => ({
    taskNo,
    pendingDependencies: taskNo === 2 ? 2 : 0,
    unmetDependencies: 0,
    keepsSteps: true,
  }));
  const decide = async ({ status }: LockedForRetry) =>
    status === 'Cancelled' ? { tasks, leaves: 1 } : null;
  const idsOf = ({ reset }: BulkReset): string[] => reset.map(({ id }) => id).toSorted();

  async function cancelled(count: number): Promise<string[]> {
    const ids = (await session.startMany(join, count)).toSorted();
    await control('cancel', ids);
    return ids;
  }

  test.each([
    ['task', (): string => `${open.tables.task} WHERE execution_id = $1 AND task_no = 2`],
    ['execution', (): string => `${open.tables.execution} WHERE id = $1`],
  ])(
    'leaves out an execution of which another session has locked a row: its %s',
    async (_, place) => {
      const ids = await cancelled(3);
      await other.begin();
      await other.client.query(`SELECT FROM ${place()} FOR UPDATE`, [ids[1]]);
      const reply = await open.store.bulk.reset(ids, decide);
      expect(idsOf(reply)).toEqual([ids[0], ids[2]]);
      expect(reply.left).toEqual([ids[1]]);
      await other.commit();
      expect(idsOf(await open.store.bulk.reset(reply.left, decide))).toEqual([ids[1]]);
    },
  );

  test('ends with the execution that reaches the bound of tasks', async () => {
    const wide = parallel(2_000);
    const ids = (await session.startMany(wide, 4)).toSorted();
    for (let left: readonly string[] = ids; left.length > 0;)
      ({ left } = await control('cancel', left));
    const all = Array.from({ length: 2_000 }, (_, taskNo) => ({
      taskNo,
      pendingDependencies: 0,
      unmetDependencies: 0,
      keepsSteps: true,
    }));
    const reply = await open.store.bulk.reset(ids, async () => ({ tasks: all, leaves: 2_000 }));
    expect(idsOf(reply)).toEqual(ids.slice(0, 3));
    expect(reply.left).toEqual(ids.slice(3));
  });

  test('that races with others in another order, and with deletions, deadlocks with none', async () => {
    const ids = await cancelled(MAX_BULK);
    const found = await Promise.all([
      open.store.bulk.reset(ids, decide),
      open.store.bulk.reset(ids.toReversed(), decide),
      open.store.bulk.delete(ids.toReversed()),
      open.store.reset(ids[50]!, (execution) => decide({ ...execution, id: ids[50]! })),
    ]);
    const [first, second] = found;
    const once = [...first.reset, ...second.reset].map(({ id }) => id);
    expect(new Set(once).size).toBe(once.length);
    for (const id of ids) {
      const { execution } = await rowsOf(open, id);
      expect(execution?.generation ?? 1).toBeLessThanOrEqual(1);
    }
    const { deleted } = found[2];
    expect(deleted.filter((id) => once.includes(id))).toEqual([]);
  });
});

test.each([
  [
    'the last items',
    "status = 'Waiting', claim_token = claim_token + 1, owner = NULL, item_count = 1",
  ],
  ['items, and more may come', 'item_count = -1'],
])(
  'an execution that got %s since the snapshot is left for the next statement',
  async (_, change) => {
    const id = await session.startOne(join);
    // The snapshot of the transaction is older than the items; the locks show the task as it is now.
    await session.client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    await session.client.query('DECLARE old CURSOR FOR SELECT 1');
    const slow = open.tables.task;
    const text = controlExecutions.cancel.text(open.tables);
    // A lock between the snapshot and the locks of rows, at which it waits while another session adds items.
    const gated = text.replace(
      'FROM (SELECT * FROM item WHERE before',
      `FROM (SELECT * FROM item, pg_advisory_xact_lock(${GATE}) WHERE before`,
    );
    expect(gated).not.toBe(text);
    await other.client.query(`SELECT pg_advisory_lock(${GATE})`);
    const running = session.client.query({ text: gated, values: [plainArray([id]), null, null] });
    await untilWaiting(open.admin, [session]);
    await open.admin.query(
      `WITH head AS (UPDATE ${slow} SET ${change}
       WHERE execution_id = $1 AND task_no = 0 RETURNING *)
     INSERT INTO ${slow} (execution_id, task_no, item_no, definition_id, status)
     SELECT execution_id, task_no, 1, definition_id, 'Ready' FROM head`,
      [id],
    );
    await other.client.query(`SELECT pg_advisory_unlock(${GATE})`);
    await running;
    await session.client.query('COMMIT');
    expect((await rowsOf(open, id)).execution?.status).toBe('Running');
    expect(changedOf(await control('cancel', [id]))).toEqual([id]);
    expect(new Set(await statusesOf(open, id))).toEqual(new Set(['Cancelled']));
  },
);

test('a statement ends with the execution that reaches its bound of tasks', async () => {
  const wide = parallel(2_000);
  const ids = (await session.startMany(wide, 4)).toSorted();
  const reply = await control('pause', ids);
  // The third one begins below five thousand tasks.
  expect(changedOf(reply)).toEqual(ids.slice(0, 3));
  expect(reply.left).toEqual(ids.slice(3));
  expect(changedOf(await control('pause', reply.left))).toEqual(ids.slice(3));
});

test('cancels that race with outcomes deadlock with none, and each execution has one end', async () => {
  const ids = await session.startMany(join, MAX_BULK);
  const workers = await open.connectAll(3);
  const outcomes = Promise.all(
    workers.map(async (worker, w) => {
      for (const [n, id] of ids.entries()) {
        if (n % workers.length === w) {
          await worker.complete([outcomeOf(join, id, 0), outcomeOf(join, id, 1)]);
          await worker.complete([outcomeOf(join, id, 2)]);
        }
      }
    }),
  );
  let left: readonly string[] = ids.toReversed();
  const cancelled = new Set<string>();
  while (left.length > 0) {
    const reply = await control('cancel', left);
    for (const { id } of reply.changed) cancelled.add(id);
    left = reply.left;
  }
  await outcomes;
  for (const id of ids) {
    const { execution, tasks } = await rowsOf(open, id);
    expect(execution?.status).toBe(cancelled.has(id) ? 'Cancelled' : 'Completed');
    expect(tasks.filter((task) => task.completed_at === null)).toEqual([]);
  }
});
