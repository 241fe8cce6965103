import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  decodeTimedOut,
  timeOutExecutions,
  timeOutValues,
} from '../../../lib/store/postgres/statements/time-outs.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, statusesOf } from './rows.js';
import type { Session } from './session.js';
import { fanIn, outcomeOf } from '../../conformance/workflows.js';

const join = fanIn(2, { timeoutMs: 1 });

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

/** Executions whose timeout is over, the first one's for longest. */
async function overdue(count: number): Promise<string[]> {
  const ids = await session.startMany(join, count);
  for (const [n, id] of ids.entries()) {
    await open.admin.query(
      `UPDATE ${open.tables.execution} SET deadline_at = now() - $2 * interval '1 s' WHERE id = $1`,
      [id, 1_000 - n],
    );
  }
  return ids;
}

async function timeOut(on = session): Promise<string[] | undefined> {
  const values = timeOutValues(await open.store.pastDeadlines(), () => '{"name":"E"}', open.schema);
  const ended = decodeTimedOut(await on.run(timeOutExecutions, values));
  return ended?.map(({ id }) => id).toSorted();
}

describe('timeouts that fall due together', () => {
  test('end with all that follows from it, in one statement', async () => {
    const ids = await overdue(3);
    const values = timeOutValues(
      await open.store.pastDeadlines(),
      ({ workflow }) => `{"name":"of ${workflow}"}`,
      open.schema,
    );
    const ended = decodeTimedOut(await session.run(timeOutExecutions, values));
    expect(ended).toHaveLength(3);
    for (const id of ids) {
      expect(ended).toContainEqual({ id, hasWaiters: false, wasRunning: true });
      const cancelled = { status: 'Cancelled', owner: null, run_at: null };
      expect(await rowsOf(open, id)).toMatchObject({
        execution: {
          status: 'Failed',
          error: { name: 'of test' },
          deadline_at: null,
          remaining_leaves: 0,
        },
        tasks: [cancelled, cancelled, cancelled],
        events: [{ kind: 'timedOut', task_no: null }],
      });
    }
    const late = await other.complete(ids.map((id) => outcomeOf(join, id, 0)));
    expect(late.accepted).toEqual([false, false, false]);
    expect(await open.store.pastDeadlines()).toEqual([]);
  });

  test('are read in pages, the oldest first', async () => {
    const ids = await overdue(5);
    const page = await open.store.pastDeadlines();
    expect(page.map(({ id }) => id)).toEqual(ids);
    expect((await open.store.pastDeadlines(page[1])).map(({ id }) => id)).toEqual(ids.slice(2));
  });

  test('one process takes them: another one goes away, and waits for nothing', async () => {
    const ids = await overdue(2);
    await session.begin();
    expect(await timeOut(session)).toEqual(ids.toSorted());
    expect(await timeOut(other)).toBeUndefined();
    await session.commit();
    expect(await timeOut(other)).toEqual([]);
  });

  test.each([
    [
      'a task',
      (id: string) => [
        `SELECT FROM ${open.tables.task} WHERE execution_id = $1 AND task_no = 2 FOR UPDATE`,
        id,
      ],
    ],
    [
      'the execution',
      (id: string) => [`SELECT FROM ${open.tables.execution} WHERE id = $1 FOR UPDATE`, id],
    ],
  ])(
    'one of which %s is locked delays itself alone, and nothing of it is changed',
    async (_, lock) => {
      const [first, second, third] = await overdue(3);
      const [text, id] = lock(second!);
      await other.begin();
      await other.client.query(text!, [id]);
      expect(await timeOut()).toEqual([first!, third!].toSorted());
      await other.commit();
      expect(await statusesOf(open, second!)).toEqual(['Running', 'Running', 'NotStarted']);
      expect(await timeOut()).toEqual([second]);
    },
  );

  test('one that ended or was retried since it was read is left alone', async () => {
    const [first, second, third] = await overdue(3);
    const values = timeOutValues(await open.store.pastDeadlines(), () => '{}', open.schema);
    await open.store.cancel(first!, null);
    await open.admin.query(
      `UPDATE ${open.tables.execution} SET deadline_at = now() + interval '1 hour' WHERE id = $1`,
      [second],
    );
    const ended = decodeTimedOut(await session.run(timeOutExecutions, values));
    expect(ended).toMatchObject([{ id: third }]);
    expect((await rowsOf(open, first!)).execution?.status).toBe('Cancelled');
    expect(await statusesOf(open, second!)).toEqual(['Running', 'Running', 'NotStarted']);
  });

  test('many processes at it end each of them once', async () => {
    const ids = await overdue(60);
    const sessions = await open.connectAll(4);
    const ended: string[] = [];
    while (ended.length < ids.length) {
      const found = await Promise.all(sessions.map((one) => timeOut(one)));
      for (const some of found) ended.push(...(some ?? []));
    }
    expect(ended.toSorted()).toEqual(ids.toSorted());
  });
});
