import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  deleteExecutions,
  deleteExpired,
  deletionOf,
  IS_DELETABLE,
  ownedTables,
} from '../../../lib/store/postgres/statements/delete-executions.js';
import { plainArray } from '../../../lib/store/postgres/statements/encoding.js';
import { MAX_EXPIRED, type ResetDecision } from '../../../lib/store/port/index.js';
import { fanIn, newClaimant, noLease, parallel, startOf } from '../../conformance/workflows.js';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';

/** The advisory lock at which a statement waits. */
const GATE = 8;

const join = fanIn(2);
const again: ResetDecision = {
  tasks: [0, 1, 2].map((taskNo) => ({
    taskNo,
    pendingDependencies: taskNo === 2 ? 2 : 0,
    unmetDependencies: 0,
    keepsSteps: true,
  })),
  leaves: 1,
};

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

async function cancelled(count: number): Promise<string[]> {
  const ids = await session.startMany(join, count);
  for (const id of ids) await open.store.cancel(id, null);
  return ids.toSorted();
}

/** Sends a deletion that waits between its snapshot and its locks, lets `meanwhile` run there, and returns what it deleted. */
async function deleteWhile(
  id: string,
  meanwhile: () => Promise<unknown>,
  change: (text: string) => string = (text) => text,
): Promise<string[]> {
  const text = change(deleteExecutions.text(open.tables));
  const gated = text.replace(
    'FROM (SELECT * FROM fit WHERE before',
    `FROM (SELECT fit.* FROM fit, pg_advisory_xact_lock(${GATE}) WHERE before`,
  );
  expect(gated).not.toBe(text);
  await other.client.query(`SELECT pg_advisory_lock(${GATE})`);
  const running = session.client.query<unknown[]>({
    text: gated,
    values: [plainArray([id])],
    rowMode: 'array',
  } as never);
  await untilWaiting(open.admin, [session]);
  await meanwhile();
  await other.client.query(`SELECT pg_advisory_unlock(${GATE})`);
  const { rows } = await running;
  return rows.flatMap(([top, isLeft]) => (isLeft === false ? [String(top)] : []));
}

describe('A deletion whose execution changes after its snapshot', () => {
  const retry = (id: string) => () => open.store.reset(id, () => Promise.resolve(again));

  test('deletes nothing of one that a manual retry brought back to life', async () => {
    const [id] = await cancelled(1);
    expect(await deleteWhile(id!, retry(id!))).toEqual([]);
    const { execution, tasks } = await rowsOf(open, id!);
    expect(execution?.completed_at).toBeNull();
    expect(tasks).toHaveLength(3);
  });

  test('would delete it if it did not check the locked row', async () => {
    const [id] = await cancelled(1);
    const unchecked = (text: string) =>
      text.replace(
        `a.locked = a.tasks AND ${IS_DELETABLE} AND x.generation = a.generation`,
        'a.locked = a.tasks',
      );
    expect(unchecked(deleteExecutions.text(open.tables))).not.toBe(
      deleteExecutions.text(open.tables),
    );
    expect(await deleteWhile(id!, retry(id!), unchecked)).toEqual([id]);
  });

  test('deletes nothing of one that a retry brought back and that has ended again, with a new child', async () => {
    const [id, child] = await cancelled(2);
    const retryAndEnd = async () => {
      await retry(id!)();
      await open.store.cancel(id!, null);
      await open.admin.query(
        `UPDATE ${open.tables.execution} SET parent_execution_id = $1, root_execution_id = $1 WHERE id = $2`,
        [id, child],
      );
      // All that the end has to bring about is done.
      await open.admin.query(`UPDATE ${open.tables.execution} SET unsettled = 0`);
    };
    expect(await deleteWhile(id!, retryAndEnd)).toEqual([]);
    for (const one of [id!, child!]) expect((await rowsOf(open, one)).tasks).toHaveLength(3);
    // A deletion that begins now sees the whole tree.
    expect((await open.store.bulk.delete([id!])).deleted).toEqual([id]);
    for (const one of [id!, child!]) expect((await rowsOf(open, one)).tasks).toEqual([]);
  });

  test('deletes nothing of one that was put on legal hold', async () => {
    const [id] = await cancelled(1);
    const hold = () => open.store.retention.hold(id!, true, null);
    expect(await deleteWhile(id!, hold)).toEqual([]);
    expect((await rowsOf(open, id!)).tasks).toHaveLength(3);
  });

  test('deletes nothing of a tree in which a child was retried', async () => {
    const [top, child] = await cancelled(2);
    await open.admin.query(
      `UPDATE ${open.tables.execution} SET parent_execution_id = $1, root_execution_id = $1 WHERE id = $2`,
      [top, child],
    );
    expect(await deleteWhile(top!, retry(child!))).toEqual([]);
    for (const id of [top!, child!]) expect((await rowsOf(open, id)).tasks).toHaveLength(3);
  });
});

test('Retries and deletions of the same executions deadlock with none, and leave each whole or gone', async () => {
  const ids = await cancelled(60);
  const trees = ids.map((id) => ({ id, generation: 0, version: null }));
  const [first, second, ...retried] = await Promise.all([
    open.store.retention.delete(trees),
    open.store.retention.delete(trees.toReversed()),
    ...ids.toReversed().map((id) => open.store.reset(id, () => Promise.resolve(again))),
  ]);
  const deleted = [...first.deleted, ...second.deleted];
  expect(new Set(deleted).size).toBe(deleted.length);
  for (const [i, id] of ids.toReversed().entries()) {
    const { execution, tasks } = await rowsOf(open, id);
    const isDeleted = deleted.includes(id);
    expect([execution === undefined, tasks.length]).toEqual([isDeleted, isDeleted ? 0 : 3]);
    // Undefined: the retry found no execution.
    expect(retried[i] === undefined).toBe(isDeleted);
    if (!isDeleted) expect(execution?.completed_at).toBeNull();
  }
});

test('A deletion leaves out trees beyond its bound of tasks', async () => {
  const wide = parallel(2_000);
  const ids = (await session.startMany(wide, 4)).toSorted();
  for (const id of ids) await open.store.cancel(id, null);
  const trees = ids.map((id) => ({ id, generation: 0, version: null }));
  expect(await open.store.retention.delete(trees)).toEqual({
    deleted: ids.slice(0, 3),
    left: ids.slice(3),
  });
});

test('A deletion of as many trees as it may get reads each row by its key', async () => {
  const ids = await cancelled(MAX_EXPIRED);
  const values = [ids, ids.map(() => 0), ids.map(() => null)].map((part) => plainArray(part));
  await session.client.query('BEGIN');
  const { rows } = await session.client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${deleteExpired.text(open.tables)}`,
    values,
  );
  await session.client.query('ROLLBACK');
  const nodes = nodesOf(rows[0]!['QUERY PLAN'][0].Plan);
  // Rows that a node reads in all of its loops: a few for each of the tasks, and not some for each pair of them.
  const most = Math.max(...nodes.map((node) => node['Actual Rows'] * node['Actual Loops']));
  expect(most).toBeLessThan(10 * 3 * MAX_EXPIRED);
  expect(nodes.filter((node) => (node['Rows Removed by Join Filter'] ?? 0) > 0)).toEqual([]);
});

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

describe('What belongs to an execution', () => {
  /** Columns that name executions, in tables whose rows outlive them, and why. */
  const OUTLIVE: Readonly<Record<string, string>> = {
    'cloacina_workflow_execution.parent_execution_id': 'trees go as a whole',
    'cloacina_workflow_execution.root_execution_id': 'trees go as a whole',
    'cloacina_schedule.last_execution_id': 'without the execution there is no overlap',
    'cloacina_schedule_firing.execution_id': 'a record, with the end of the execution in it',
    'cloacina_kept_key.execution_id': 'its time is up later',
    'cloacina_action.execution_id': 'a record of who did it',
    'cloacina_claim_batch.execution_ids': 'a list where to look, deleted with its last claim',
    'cloacina_limit_slot.h_execution': 'a holder without a row is free after a minute',
  };

  test('is deleted with it, in each table with a column that names executions', async () => {
    const { rows } = await open.admin.query<{ name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns c
       JOIN information_schema.tables t USING (table_schema, table_name)
       WHERE table_schema = $1 AND t.table_type = 'BASE TABLE' AND column_name LIKE '%execution%'`,
      [open.schema],
    );
    const found = rows.map(({ name }) => name);
    const owned = ownedTables(open.tables).map(([table]) => `${table.split('.')[1]}.execution_id`);
    expect(found.filter((name) => !(name in OUTLIVE)).toSorted()).toEqual(owned.toSorted());
    for (const name of Object.keys(OUTLIVE)) expect(found).toContain(name);
  });

  test('is gone after a deletion, and what belongs to others is not', async () => {
    const [id, kept] = await cancelled(2);
    const { event, progress, recoveryEvent, signal, step } = open.tables;
    for (const one of [id, kept]) {
      const insert = (table: string, columns: string, values: string) =>
        open.admin.query(`INSERT INTO ${table} (execution_id, ${columns}) VALUES ($1, ${values})`, [
          one,
        ]);
      await insert(step, 'task_no, item_no, name, kind, status', "0, 0, 's', 'step', 'Done'");
      await insert(progress, 'task_no, item_no, value', "0, 0, '1'");
      await insert(signal, 'name, payload', "'go', '1'");
      await insert(event, 'kind', "'paused'");
      await insert(recoveryEvent, 'task_no, kind, cause', "0, 'recovered', 'boot'");
    }
    const counts = async (of: string): Promise<number[]> => {
      const all = ownedTables(open.tables).map(async ([table]) => {
        const { rowCount } = await open.admin.query(
          `SELECT FROM ${table} WHERE execution_id = $1`,
          [of],
        );
        return rowCount ?? 0;
      });
      return Promise.all(all);
    };
    const before = await counts(kept!);
    expect(before.every((count) => count > 0)).toBe(true);
    const trees = [{ id: id!, generation: 0, version: null }];
    expect((await open.store.retention.delete(trees)).deleted).toEqual([id]);
    expect(await counts(id!)).toEqual(before.map(() => 0));
    expect(await counts(kept!)).toEqual(before);
  });
});

test('A start finds a kept key also while the execution that had it is being deleted', async () => {
  const idempotencyKey = 'raced';
  const item = startOf(join, { idempotencyKey });
  await open.keeping.start([item], noLease(newClaimant()), true);
  await open.store.cancel(item.id, null);
  await open.store.retention.keepKeys([item.id], 3_600_000);
  await other.begin();
  const values = [[item.id], [0], [null]].map((part) => plainArray(part));
  expect(deletionOf(await other.run(deleteExpired, values)).deleted).toEqual([item.id]);
  const start = startOf(join, { idempotencyKey });
  const reply = open.keeping.start([start], noLease(newClaimant()), true);
  await other.commit();
  expect((await reply).created).toEqual(new Set());
  expect(await open.keeping.findByKeys([{ workflow: 'test', key: idempotencyKey }])).toEqual([
    item.id,
  ]);
});
