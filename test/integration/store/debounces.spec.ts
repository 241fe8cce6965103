import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  debounceExecutions,
  debounceReplyOf,
  debounceValues,
} from '../../../lib/store/postgres/statements/debounce-executions.js';
import type { DebouncedStart } from '../../../lib/store/port/index.js';
import { parallel, startOf } from '../../conformance/workflows.js';
import { untilWaiting } from './gate.js';
import { type OpenStore, openStore } from './open-store.js';
import { variant, type Session } from './session.js';

let open: OpenStore;
let keeper: Session;
let late: Session;
let definitionId = 90_000;
let of = parallel(2);
beforeAll(async () => {
  open = await openStore();
  [keeper, late] = (await open.connectAll(2)) as [Session, Session];
});
afterAll(() => open.close());
beforeEach(() => {
  of = parallel(2, { definitionId: String(++definitionId) });
});

const startOfInput = (n: number): DebouncedStart => ({
  item: startOf(of, { input: `{"n":${n}}`, claims: 0 }),
  key: `key ${definitionId}`,
  waitMs: 0,
  maxMs: null,
});

function send(session: Session, n: number, statement = debounceExecutions) {
  return sendStart(session, startOfInput(n), statement);
}

async function sendStart(
  session: Session,
  start: DebouncedStart,
  statement: typeof debounceExecutions,
) {
  const starts = [start];
  const rows = await session.run(statement, debounceValues(starts));
  return debounceReplyOf(rows, starts).starts[0]!;
}

async function claim(session: Session) {
  return session.claim([of.plan.definitionId], 10);
}

const inputOf = async (id: string) => (await open.store.executions([id]))[0]?.input;

/** What a start does that decides by what its snapshot has, and not by the locked row. */
const bySnapshot = variant(debounceExecutions, [
  'AND (x.started_at IS NOT NULL OR x.completed_at IS NOT NULL) IS FALSE',
  '',
]);

/** What a start does that finds itself by what its snapshot has, and not by the locked row. */
const findingBySnapshot = variant(debounceExecutions, [
  '((x.debounced_by = f.start_id) IS TRUE\n        OR ',
  '(',
]);

describe('a debounced start that is sent again while its first send is under way, whose execution then begins,', () => {
  async function meet(statement: typeof debounceExecutions) {
    const { id } = await send(late, 1);
    const start = startOfInput(2);
    await keeper.begin();
    expect(await sendStart(keeper, start, statement)).toEqual({ id, fate: 'updated' });
    expect(await claim(keeper)).toHaveLength(2);
    const again = sendStart(late, start, statement);
    await untilWaiting(open.admin, [late]);
    await keeper.commit();
    return { id, result: await again };
  }

  test('finds that execution', async () => {
    const { id, result } = await meet(debounceExecutions);
    expect(result).toEqual({ id, fate: 'updated' });
  });

  test('makes another one if it finds itself without the lock', async () => {
    const { id, result } = await meet(findingBySnapshot);
    expect(result).toMatchObject({ fate: 'created', id: expect.not.stringMatching(id) });
  });
});

describe('a debounced start that meets the claim that begins its execution', () => {
  async function meet(statement: typeof debounceExecutions) {
    const { id } = await send(late, 1);
    await keeper.begin();
    expect(await claim(keeper)).toHaveLength(2);
    const sent = send(late, 2, statement);
    await untilWaiting(open.admin, [late]);
    await keeper.commit();
    return { id, result: await sent };
  }

  test('makes another execution, so its input is not lost', async () => {
    const { id, result } = await meet(debounceExecutions);
    expect(result.fate).toBe('created');
    expect([await inputOf(id), await inputOf(result.id)]).toEqual(['{"n":1}', '{"n":2}']);
  });

  test('changes the input of one that runs already if it decides without the lock', async () => {
    const { id, result } = await meet(bySnapshot);
    expect(result).toEqual({ id, fate: 'updated' });
    expect(await inputOf(id)).toBe('{"n":2}');
  });

  test('comes before it, and the claim gets the new input', async () => {
    const { id } = await send(late, 1);
    await keeper.begin();
    expect(await send(keeper, 2)).toEqual({ id, fate: 'updated' });
    expect(await claim(late)).toEqual([]);
    await keeper.commit();
    const claims = await claim(late);
    expect(claims.map(({ input }) => input)).toEqual(['{"n":2}', '{"n":2}']);
  });
});

test('of two first starts at once one is sent again, and finds the execution of the other', async () => {
  await keeper.begin();
  const first = await send(keeper, 1);
  const second = send(late, 2);
  await untilWaiting(open.admin, [late]);
  await keeper.commit();
  expect((await second).fate).toBe('raced');
  expect(await send(late, 2)).toEqual({ id: first.id, fate: 'updated' });
});

test('a start that meets a cancel makes another execution', async () => {
  const { id } = await send(late, 1);
  await keeper.begin();
  await keeper.client.query(`SELECT FROM ${open.tables.task} WHERE execution_id = $1 FOR UPDATE`, [
    id,
  ]);
  const cancelled = open.store.cancel(id, null);
  await keeper.commit();
  await cancelled;
  expect((await send(late, 2)).fate).toBe('created');
});
