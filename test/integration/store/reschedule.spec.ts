import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf, taskOf, type TaskColumns } from './rows.js';
import type { Session } from './session.js';
import { failureOf, parallel, rescheduleOf } from './workflows.js';
import { FIRST_TOKEN, type Reschedule } from '../../../lib/store/port/index.js';

let open: OpenStore;
let session: Session;
let id: string;
let definitionId: string;
let definitionCount = 100;

beforeAll(async () => {
  open = await openStore();
  session = await open.connect();
});
afterAll(() => open.close());
beforeEach(async () => {
  // One of its own for each test, so that its claims meet no other's tasks.
  definitionId = String(++definitionCount);
  id = await session.startOne(parallel(1, { definitionId }));
});

async function reschedule(
  kind: Reschedule['kind'],
  options?: Partial<Reschedule>,
): Promise<TaskColumns> {
  const { claim_token: token } = await taskOf(open, id, 0);
  expect(await open.store.reschedule([rescheduleOf(kind, id, 0, { token, ...options })])).toEqual([
    true,
  ]);
  return taskOf(open, id, 0);
}

/** Due at once, whatever its time. */
async function claimAgain(): Promise<void> {
  await open.admin.query(`UPDATE ${open.tables.task} SET run_at = now() WHERE execution_id = $1`, [
    id,
  ]);
  expect(await session.claim([definitionId], 1)).toHaveLength(1);
}

async function dueInSeconds(): Promise<number> {
  const { rows } = await open.admin.query<{ seconds: number }>(
    `SELECT extract(epoch FROM run_at - clock_timestamp())::float AS seconds
     FROM ${open.tables.task} WHERE execution_id = $1`,
    [id],
  );
  return rows[0]?.seconds ?? Number.NaN;
}

describe('a retry', () => {
  test('counts the attempt and keeps its times and its error', async () => {
    const { started_at: startedAt } = await taskOf(open, id, 0);
    const task = await reschedule('retry', { error: { message: 'no' }, delayMs: 60_000 });

    expect(task).toMatchObject({
      status: 'Ready',
      owner: null,
      claim_token: FIRST_TOKEN + 1,
      attempt: 1,
      error: { message: 'no' },
      attempts: [
        {
          attempt: 1,
          error: { message: 'no' },
          startedAt: expect.any(String),
          completedAt: expect.any(String),
        },
      ],
    });
    expect(new Date(String(task.attempts?.[0]?.['startedAt']))).toEqual(startedAt);
    expect(await dueInSeconds()).toBeGreaterThan(50);
    expect(await session.claim([definitionId], 1)).toEqual([]);
    expect((await rowsOf(open, id)).events).toEqual([
      expect.objectContaining({
        kind: 'retried',
        task_no: 0,
        detail: { attempt: 1, error: { message: 'no' } },
      }),
    ]);
  });

  test('keeps the last 20 attempts, the failure that ends the task included', async () => {
    for (let n = 1; n <= 24; n++) {
      await reschedule('retry', { error: { n } });
      await claimAgain();
    }
    const { claim_token: token } = await taskOf(open, id, 0);
    await session.complete([
      failureOf(parallel(1), id, 0, { token, detail: { error: { n: 25 } } }),
    ]);

    const { attempt, attempts } = await taskOf(open, id, 0);
    expect(attempt).toBe(25);
    expect(attempts?.map((kept) => [kept['attempt'], kept['error']])).toEqual(
      Array.from({ length: 20 }, (_, n) => [n + 6, { n: n + 6 }]),
    );
  });

  test('ends what counted before it: recoveries and the deferral', async () => {
    await reschedule('defer');
    await open.admin.query(
      `UPDATE ${open.tables.task} SET recovery_attempts = 2 WHERE execution_id = $1`,
      [id],
    );
    await claimAgain();
    expect(await reschedule('retry', { error: {} })).toMatchObject({
      recovery_attempts: 0,
      deferred_since: null,
    });
  });
});

describe('a deferral', () => {
  test('costs no attempt, leaves no event, and remembers when it began', async () => {
    const first = await reschedule('defer', { delayMs: 60_000 });
    expect(first).toMatchObject({
      status: 'Ready',
      owner: null,
      attempt: 0,
      attempts: null,
      error: null,
      deferred_since: expect.any(Date),
    });
    expect(await dueInSeconds()).toBeGreaterThan(50);

    await claimAgain();
    const again = await reschedule('defer');
    expect(again.deferred_since).toEqual(first.deferred_since);
    expect((await rowsOf(open, id)).events).toEqual([]);
  });

  test('its length is told with the next claim', async () => {
    await reschedule('defer');
    await open.admin.query(
      `UPDATE ${open.tables.task} SET deferred_since = deferred_since - interval '1 hour'
       WHERE execution_id = $1`,
      [id],
    );
    const [claim] = await session.claim([definitionId], 1);
    expect(claim?.deferredForMs).toBeGreaterThanOrEqual(3_600_000);
    expect(claim?.deferredForMs).toBeLessThan(3_700_000);
  });
});

test('a claim that is given back leaves nothing but a token that went up', async () => {
  await open.admin.query(
    `UPDATE ${open.tables.task} SET recovery_attempts = 1 WHERE execution_id = $1`,
    [id],
  );
  const before = await taskOf(open, id, 0);
  expect(await reschedule('giveBack')).toEqual({
    ...before,
    status: 'Ready',
    claim_token: FIRST_TOKEN + 1,
    owner: null,
    run_at: expect.any(Date),
  });
  expect(await dueInSeconds()).toBeLessThanOrEqual(0);
  expect((await rowsOf(open, id)).events).toEqual([]);
});

test.each(['retry', 'defer', 'giveBack'] as const)(
  'a %s of a held task stays held',
  async (kind) => {
    await open.store.pause(id, null);
    expect(await reschedule(kind, { error: {} })).toMatchObject({ status: 'Ready', paused: true });
    expect(await session.claim([definitionId], 1)).toEqual([]);
  },
);

test('a batch is one statement for many tasks, of every kind', async () => {
  const of = parallel(3, { definitionId: '99' });
  const ids = await session.startMany(of, 20);
  const kinds = ['retry', 'defer', 'giveBack'] as const;
  const items = ids.flatMap((one) =>
    kinds.map((kind, taskNo) => rescheduleOf(kind, one, taskNo, { error: { taskNo } })),
  );
  expect(await open.store.reschedule(items)).toEqual(new Array(60).fill(true));
  for (const one of ids) {
    const { tasks } = await rowsOf(open, one);
    expect(tasks.map(({ attempt }) => attempt)).toEqual([1, 0, 0]);
    expect(tasks.map((task) => task.deferred_since !== null)).toEqual([false, true, false]);
  }
});
