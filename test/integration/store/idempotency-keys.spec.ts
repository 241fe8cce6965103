import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { rowsOf } from './rows.js';
import type { Session } from './session.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';

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

test('a key that is taken keeps its execution, whatever the input and however it ended', async () => {
  const id = await first.startOne(of, { idempotencyKey: key });
  await open.store.cancel(id, null);
  const before = await rowsOf(open, id);
  const again = startOf(of, { idempotencyKey: key, input: '{"other":1}' });

  expect((await open.store.start([again], noLease(), true)).created).toEqual(new Set());
  expect(await holderOf(key)).toEqual([id]);
  expect(await rowsOf(open, id)).toEqual(before);
  expect((await rowsOf(open, again.id)).tasks).toEqual([]);
});

test('a key is of its workflow', async () => {
  const other = parallel(1, { name: 'other' });
  const items = [startOf(of, { idempotencyKey: key }), startOf(other, { idempotencyKey: key })];
  expect(await first.startKeyed(items)).toEqual(items.map(({ id }) => id));
  expect(
    await open.store.findByKeys([
      { workflow: 'other', key },
      { workflow: 'none', key },
      { workflow: 'test', key },
    ]),
  ).toEqual([items[1]?.id, undefined, items[0]?.id]);
});

test('of one key twice in a batch the first is started', async () => {
  const items = [startOf(of, { idempotencyKey: key }), startOf(of, { idempotencyKey: key })];
  expect(await first.startKeyed(items)).toEqual([items[0]?.id]);
});

test('keys are stored as they are written', async () => {
  const odd = ['"', "'", '\\', '{,}', 'null', 'ü\n', '$1', ''].map((text) => text + key);
  const items = odd.map((idempotencyKey) => startOf(of, { idempotencyKey }));
  await first.startKeyed(items);
  expect(await holderOf(...odd)).toEqual(items.map(({ id }) => id));
});

test('starts without a key never meet', async () => {
  const items = [startOf(of), startOf(of)];
  expect(await first.startKeyed(items)).toHaveLength(2);
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
