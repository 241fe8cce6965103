import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  timedOutOf,
  timeOutExecutions,
  timeOutValues,
} from '../../../lib/store/postgres/statements/time-outs.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, statusesOf } from './rows.js';
import type { Session } from './session.js';
import { fanIn, parallel } from '../../conformance/workflows.js';

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

/** @param count - at most as many of them, the first ones */
async function timeOut(on = session, count = Infinity): Promise<string[] | undefined> {
  const due = (await open.store.pastDeadlines()).slice(0, count);
  const values = timeOutValues(due, () => '{"name":"E"}', open.schema);
  const ended = timedOutOf(await on.run(timeOutExecutions, values));
  return ended?.map(({ id }) => id).toSorted();
}

describe('executions that must begin before a time', () => {
  const prompt = parallel(2, { definitionId: '4242', timeoutMs: 3_600_000 });

  test('either begin or expire, when claims and their end race for them', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) {
      // Their times are over within the next moment, one after the other.
      const some = await session.startMany(prompt, 20, {
        claims: 0,
        startBefore: { at: null, inMs: 20 * n + 1 },
      });
      ids.push(...some);
    }
    const claimers = await open.connectAll(2);
    const begun = new Set<string>();
    const refused = new Set<string>();
    const expired = new Set<string>();
    const race = { isOver: false };
    const claiming = claimers.map(async (one) => {
      do {
        for (const task of await one.claim(['4242'], 3)) {
          (task.isExpired === true ? refused : begun).add(task.executionId);
        }
      } while (!race.isOver);
    });
    while (begun.size + expired.size < ids.length) {
      for (const id of (await timeOut()) ?? []) expired.add(id);
    }
    race.isOver = true;
    await Promise.all(claiming);
    expect([...begun].filter((id) => expired.has(id))).toEqual([]);
    expect([...refused].filter((id) => !expired.has(id))).toEqual([]);
    for (const id of ids) {
      const { execution, tasks } = await rowsOf(open, id);
      expect(execution).toMatchObject(
        begun.has(id)
          ? { status: 'Running', started_at: expect.any(Date), reason: null }
          : { status: 'Cancelled', started_at: null, reason: 'expired' },
      );
      if (!begun.has(id)) expect(tasks.map(({ owner }) => owner)).toEqual([null, null]);
    }
  });

  test('expire after their claim too, if its process dies before the end is stored', async () => {
    const [id] = await session.startMany(prompt, 1, {
      claims: 0,
      startBefore: { at: null, inMs: 1 },
    });
    await open.admin.query(
      `UPDATE ${open.tables.execution} SET deadline_at = now() - interval '1 s'`,
    );
    const claims = await session.claim(['4242'], 10);
    expect(claims.map(({ isExpired }) => isExpired)).toEqual([true, true]);
    // Recovery gives the tasks back.
    await open.admin.query(
      `UPDATE ${open.tables.task} SET status = 'Ready', owner = NULL, run_at = now(), claim_token = claim_token + 1,
         recovery_attempts = 1`,
    );
    expect((await other.claim(['4242'], 1)).map(({ isExpired }) => isExpired)).toEqual([true]);
    expect(await timeOut()).toEqual([id]);
    expect(await statusesOf(open, id!)).toEqual(['Cancelled', 'Cancelled']);
    expect((await rowsOf(open, id!)).execution).toMatchObject({
      status: 'Cancelled',
      started_at: null,
    });
  });
});

describe('timeouts that fall due together', () => {
  test('one process takes them: another one goes away, and waits for nothing', async () => {
    const [first, second, third] = await overdue(3);
    await session.begin();
    expect(await timeOut(session, 2)).toEqual([first!, second!].toSorted());
    expect(await timeOut(other)).toBeUndefined();
    // No session has locked the third one: the ticket alone protects it.
    expect(await statusesOf(open, third!)).toEqual(['Running', 'Running', 'NotStarted']);
    await session.commit();
    expect(await timeOut(other)).toEqual([third]);
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
