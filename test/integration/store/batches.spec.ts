import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  batchExecutions,
  batchReplyOf,
  batchValues,
} from '../../../lib/store/postgres/statements/batch-executions.js';
import type { BatchedStart, BatchInput } from '../../../lib/store/port/index.js';
import { parallel, startOf } from '../../conformance/workflows.js';
import { untilStoreWaits, untilWaiting } from './gate.js';
import { type OpenStore, openStore } from './open-store.js';
import { variant, type Session } from './session.js';

let open: OpenStore;
let keeper: Session;
let late: Session;
let definitionId = 95_000;
let of = parallel(2);
beforeAll(async () => {
  open = await openStore();
  [keeper, late] = (await open.connectAll(2)) as [Session, Session];
});
afterAll(() => open.close());
beforeEach(() => {
  of = parallel(2, { definitionId: String(++definitionId) });
});

const inputOf = (n: number): BatchInput => ({ id: uuidv7(), input: `{"n":${n}}` });

function startOfInputs(inputs: readonly BatchInput[], size: number): BatchedStart {
  const item = startOf(of, { input: inputs[0]!.input, claims: 0 });
  return { item, key: `key ${definitionId}`, waitMs: 0, size, inputs };
}

async function send(
  session: Session,
  inputs: readonly BatchInput[],
  { statement = batchExecutions, size = 10 } = {},
) {
  const starts = [startOfInputs(inputs, size)];
  const rows = await session.run(statement, batchValues(starts));
  return batchReplyOf(rows, starts).starts[0]!;
}

const claim = (session: Session) => session.claim([of.plan.definitionId], 10);
const inputsOf = async (id: string) =>
  (await open.store.batches.inputs(id)).map((json) => (JSON.parse(json) as { n: number }).n);

/** What a start does that decides by what its snapshot has, and not by the locked row. */
const bySnapshot = variant(batchExecutions, [
  'AND (x.started_at IS NOT NULL OR x.completed_at IS NOT NULL) IS FALSE',
  '',
]);
/** What a start does that counts the inputs of its snapshot. */
const byCount = variant(batchExecutions, [
  'SELECT least(f.count, f.size - x.batch_count) AS taken',
  `SELECT least(f.count, f.size - (
     SELECT count(*) FROM "SCHEMA".cloacina_signal s WHERE s.execution_id = f.id)::integer) AS taken`,
]);

describe('an input that meets the claim that begins its batch', () => {
  async function meet(statement: typeof batchExecutions) {
    const { id } = await send(late, [inputOf(1)]);
    await keeper.begin();
    expect(await claim(keeper)).toHaveLength(2);
    const sent = send(late, [inputOf(2)], { statement });
    await untilWaiting(open.admin, [late]);
    await keeper.commit();
    return { id, result: await sent };
  }

  test('makes another batch, so it is not lost', async () => {
    const { id, result } = await meet(batchExecutions);
    expect(result).toMatchObject({ created: true, taken: 1 });
    expect([await inputsOf(id), await inputsOf(result.id)]).toEqual([[1], [2]]);
  });

  test('is added to one that runs already if it decides without the lock', async () => {
    const { id, result } = await meet(bySnapshot);
    expect(result).toMatchObject({ id, created: false, taken: 1 });
  });

  test('comes before it, and the claim waits for the input', async () => {
    const { id } = await send(late, [inputOf(1)]);
    await keeper.begin();
    expect(await send(keeper, [inputOf(2)])).toMatchObject({ id, created: false });
    expect(await claim(late)).toEqual([]);
    await keeper.commit();
    expect(await claim(late)).toHaveLength(2);
    expect(await inputsOf(id)).toEqual([1, 2]);
  });
});

describe('two starts that fill a batch at the same time', () => {
  async function race(statement: typeof batchExecutions) {
    const { id } = await send(late, [inputOf(1)], { size: 3 });
    await keeper.begin();
    const first = await send(keeper, [inputOf(2)], { size: 3 });
    const second = send(late, [inputOf(3), inputOf(4)], { statement, size: 3 });
    await untilWaiting(open.admin, [late]);
    await keeper.commit();
    return { id, taken: [first.taken, (await second).taken] };
  }

  test('add no more than its size', async () => {
    const { id, taken } = await race(batchExecutions);
    expect(taken).toEqual([1, 1]);
    expect(await inputsOf(id)).toEqual([1, 2, 3]);
  });

  test('add too many if they count what their snapshot has', async () => {
    const { id, taken } = await race(
      variant(byCount, ['"SCHEMA".cloacina_signal', open.tables.signal]),
    );
    expect(taken).toEqual([1, 2]);
    expect(await inputsOf(id)).toHaveLength(4);
  });
});

test('of two first starts at once one takes nothing, and then finds the batch of the other', async () => {
  await keeper.begin();
  const first = await send(keeper, [inputOf(1)]);
  const second = send(late, [inputOf(2)]);
  await untilWaiting(open.admin, [late]);
  await keeper.commit();
  expect(await second).toMatchObject({ taken: 0 });
  expect(await send(late, [inputOf(2)])).toMatchObject({ id: first.id, taken: 1 });
});

test('an input that an earlier send stores at this moment is stored once', async () => {
  const input = inputOf(1);
  await keeper.begin();
  const { id } = await send(keeper, [input], { size: 1 });
  const again = open.store.batches.start([startOfInputs([input], 1)]);
  await untilStoreWaits(open);
  await keeper.commit();
  expect((await again).starts[0]).toMatchObject({ taken: 0 });
  expect(await open.store.batches.find([input.id])).toEqual(new Map([[input.id, id]]));
});
