import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  timedOutOf,
  timeOutExecutions,
  timeOutValues,
} from '../../../lib/store/postgres/statements/time-outs.js';
import { openStore, type OpenStore } from './open-store.js';
import { statusesOf } from './rows.js';
import type { Session } from './session.js';
import { fanIn } from '../../conformance/workflows.js';

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
  const ended = timedOutOf(await on.run(timeOutExecutions, values));
  return ended?.map(({ id }) => id).toSorted();
}

describe('timeouts that fall due together', () => {
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
