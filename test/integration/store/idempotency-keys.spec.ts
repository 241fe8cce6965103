import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import type { Session } from './session.js';
import { parallel, startOf } from '../../conformance/workflows.js';

const of = parallel(2);

let open: OpenStore;
let first: Session;
let second: Session;
let third: Session;
let key: string;
let keys = 0;

beforeAll(async () => {
  open = await openStore();
  first = await open.connect();
  second = await open.connect();
  third = await open.connect();
});
afterAll(() => open.close());
beforeEach(() => {
  key = `key ${keys++}`;
});

const holderOf = async (...wanted: string[]) =>
  open.store.findByKeys(wanted.map((one) => ({ workflow: 'test', key: one })));

test('the same key from 50 connections at once: one execution', async () => {
  const sessions = await open.connectAll(50);
  const items = sessions.map(() => startOf(of, { idempotencyKey: key }));

  const created = await Promise.all(
    sessions.map((session, n) => session.startKeyed(items.slice(n, n + 1))),
  );

  const winners = created.flat();
  expect(winners).toHaveLength(1);
  expect(await holderOf(key)).toEqual(winners);
  const { rows } = await open.admin.query(
    `SELECT count(DISTINCT x.id)::integer AS executions, count(*)::integer AS tasks
     FROM ${open.tables.execution} x JOIN ${open.tables.task} t ON t.execution_id = x.id
     WHERE x.idempotency_key = $1`,
    [key],
  );
  expect(rows).toEqual([{ executions: 1, tasks: 2 }]);
});

test('an open transaction that holds a key delays that key and nothing else', async () => {
  const held = startOf(of, { idempotencyKey: key });
  await first.begin();
  await first.startKeyed([held]);
  const waiting = second.startKeyed([startOf(of, { idempotencyKey: key })]);
  await untilWaiting(open.admin, [second]);

  const other = startOf(of, { idempotencyKey: `${key} other` });
  expect(await third.startKeyed([other])).toEqual([other.id]);
  expect(await third.startKeyed([startOf(of)])).toHaveLength(1);
  expect(await holderOf(key, `${key} other`)).toEqual([undefined, other.id]);

  await first.commit();
  expect(await waiting).toEqual([]);
  expect(await holderOf(key)).toEqual([held.id]);
});

test('a transaction that is rolled back gives its key to the one who waits', async () => {
  await first.begin();
  await first.startKeyed([startOf(of, { idempotencyKey: key })]);
  const item = startOf(of, { idempotencyKey: key });
  const waiting = second.startKeyed([item]);
  await untilWaiting(open.admin, [second]);
  await first.rollback();
  expect(await waiting).toEqual([item.id]);
  expect(await holderOf(key)).toEqual([item.id]);
});

test('a batch with a locked key gives up as a conflict, writes nothing, and goes on without it', async () => {
  const impatient = await open.connect('-c lock_timeout=50');
  await first.begin();
  await first.startKeyed([startOf(of, { idempotencyKey: key })]);
  const other = startOf(of, { idempotencyKey: `${key} other` });
  const batch = [startOf(of, { idempotencyKey: key }), other];

  const error: unknown = await impatient.startKeyed(batch).catch((reason: unknown) => reason);

  expect(open.store.classifyFailure(error).kind).toBe('conflict');
  expect(await holderOf(`${key} other`)).toEqual([undefined]);
  expect(await impatient.startKeyed([other])).toEqual([other.id]);
  await first.rollback();
});
