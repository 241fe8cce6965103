import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import {
  deliverSentMessages,
  deliveryOf,
  deliveryValues,
} from '../../../lib/store/postgres/statements/deliver-messages.js';
import {
  sendSignals,
  signalRepliesOf,
  signalValues,
} from '../../../lib/store/postgres/statements/send-signals.js';
import { wakeClaimValues } from '../../../lib/store/postgres/statements/wake-and-claim.js';
import {
  takeMessages,
  takeRepliesOf,
  takeValues,
} from '../../../lib/store/postgres/statements/take-messages.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import {
  FIRST_TOKEN,
  type MessageWait,
  type SignalMessage,
  type TakeReply,
} from '../../../lib/store/port/index.js';
import { noLease, parallel, rescheduleOf } from '../../conformance/workflows.js';
import { nextNo } from './claim-numbers.js';
import { explain, scansOf } from './explain.js';
import { race, untilWaiting } from './gate.js';
import { openStore, type OpenStore } from './open-store.js';
import { variant, type Session } from './session.js';

const GO = { label: null, name: 'go', key: null, lookbackMs: null };

let open: OpenStore;
let keeper: Session;
let first: Session;
let second: Session;

beforeAll(async () => {
  open = await openStore();
  [keeper, first, second] = (await open.connectAll(3)) as [Session, Session, Session];
});
afterAll(() => open.close());

/** An execution whose tasks run, each with an open checkpoint of a wait for `go`. */
async function waiting(tasks = 1): Promise<string> {
  const id = await keeper.startOne(parallel(tasks));
  await open.store.recordSteps(
    Array.from({ length: tasks }, (_, taskNo) => ({
      executionId: id,
      taskNo,
      itemNo: 0,
      token: FIRST_TOKEN,
      name: 'wait',
      kind: 'signal',
      status: 'Open',
      result: null,
      error: null,
      childId: null,
      listensFor: { name: 'go', key: id },
      due: null,
    })),
  );
  return id;
}

const signalTo = (id: string, payload = '1'): SignalMessage => {
  return { kind: 'signal', to: { id }, name: 'go', payload, idempotencyKey: uuid() };
};

async function send(id: string, payload: string): Promise<readonly string[]> {
  return (await open.store.messages.sendMessages([signalTo(id, payload)])).ids;
}

const waitOf = (executionId: string, taskNo = 0): MessageWait => ({
  executionId,
  taskNo,
  itemNo: 0,
  token: FIRST_TOKEN,
  step: 'wait',
  listens: [GO],
});
const takeBy =
  (wait: MessageWait, statement: Statement = takeMessages) =>
  async (session: Session): Promise<TakeReply> => {
    const rows = await session.run(statement, takeValues([wait]));
    return takeRepliesOf(rows as never, 1)[0]!;
  };
const deliverBy = async (session: Session, ids: readonly string[]) =>
  deliveryOf(
    await session.run(deliverSentMessages, [
      ...wakeClaimValues(undefined, 0),
      ...deliveryValues(10, ids),
    ]),
  );

describe('a look that is sent again while the first is under way', () => {
  /** Both have their snapshots before one of them has taken anything. */
  async function twice(statement: Statement): Promise<TakeReply[]> {
    const id = await waiting();
    await send(id, '1');
    await send(id, '2');
    const look = takeBy(waitOf(id), statement);
    return race(
      open,
      keeper,
      [{ executionId: id, taskNo: 0 }],
      [
        [first, look],
        [second, look],
      ],
    );
  }

  test('takes nothing', async () => {
    expect(await twice(takeMessages)).toEqual([{ kind: 'taken', result: '1' }, { kind: 'over' }]);
  });

  test('would take the next signal, or the same one again, without the lock of the checkpoint', async () => {
    const careless = variant(takeMessages, [
      "AND st.status || '' = 'Open' FOR NO KEY UPDATE",
      "AND st.status = 'Open'",
    ]);
    expect((await twice(careless))[1]).not.toEqual({ kind: 'over' });
  });
});

test('of two tasks that take one signal at the same time, the second looks again', async () => {
  const id = await waiting(2);
  await send(id, '1');
  await keeper.begin();
  await keeper.client.query(
    `SELECT FROM ${open.tables.signal} WHERE execution_id = $1 FOR UPDATE`,
    [id],
  );
  const one = takeBy(waitOf(id, 0))(first);
  await untilWaiting(open.admin, [first]);
  const other = takeBy(waitOf(id, 1))(second);
  await untilWaiting(open.admin, [first, second]);
  await keeper.commit();
  expect(await Promise.all([one, other])).toEqual([
    { kind: 'taken', result: '1' },
    { kind: 'contended' },
  ]);
  expect(await takeBy(waitOf(id, 1))(second)).toEqual({ kind: 'nothing' });
});

describe('a delivery waits for no lock', () => {
  test('of a task: the message stays, and the next delivery wakes the task', async () => {
    const id = await waiting(2);
    const ids = await send(id, '1');
    await keeper.begin();
    await keeper.client.query(
      `SELECT FROM ${open.tables.task} WHERE execution_id = $1 AND task_no = 0 FOR UPDATE`,
      [id],
    );
    expect(await deliverBy(first, ids)).toMatchObject({ messages: 1, isPartial: true });
    await keeper.commit();
    expect(await deliverBy(first, ids)).toMatchObject({ messages: 1, isPartial: false });
    expect(await deliverBy(first, ids)).toMatchObject({ messages: 0 });
    const { rows } = await open.admin.query<{ wakes: number }>(
      `SELECT wakes FROM ${open.tables.task} WHERE execution_id = $1 ORDER BY task_no`,
      [id],
    );
    expect(rows).toEqual([{ wakes: 1 }, { wakes: 2 }]);
  });

  test('in parts: it goes on past the task, and begins anew after its last part', async () => {
    const id = await waiting(6);
    for (let taskNo = 0; taskNo < 6; taskNo++) {
      const item = rescheduleOf('suspend', id, taskNo, { token: FIRST_TOKEN, delayMs: null });
      await open.store.reschedule([item]);
    }
    const ids = await send(id, '1');
    const deliverPart = async () =>
      deliveryOf(
        await first.run(deliverSentMessages, [
          ...wakeClaimValues(undefined, 0),
          ...deliveryValues(4, ids),
        ]),
      );
    await keeper.begin();
    await keeper.client.query(
      `SELECT FROM ${open.tables.task} WHERE execution_id = $1 AND task_no = 1 FOR UPDATE`,
      [id],
    );
    expect(await deliverPart()).toMatchObject({ due: 2, hasMore: true, isPartial: false });
    expect(await deliverPart()).toMatchObject({ due: 3, hasMore: true, isPartial: false });
    expect(await deliverPart()).toMatchObject({ due: 0, hasMore: false, isPartial: true });
    await keeper.commit();
    expect(await deliverPart()).toMatchObject({ due: 1, hasMore: true });
    expect(await deliverPart()).toMatchObject({ due: 0, hasMore: true });
    expect(await deliverPart()).toMatchObject({ hasMore: false, isPartial: false });
    const { rows } = await open.admin.query<{ wakes: number }>(
      `SELECT wakes FROM ${open.tables.task} WHERE execution_id = $1`,
      [id],
    );
    expect(rows).toEqual(Array.from({ length: 6 }, () => ({ wakes: 1 })));
  });

  test('of a message that another process delivers', async () => {
    const id = await waiting();
    const ids = await send(id, '1');
    await first.begin();
    expect(await deliverBy(first, ids)).toMatchObject({ messages: 1 });
    expect(await deliverBy(second, ids)).toMatchObject({ messages: 0 });
    await first.commit();
  });

  test('so it never deadlocks with the task that takes the message', async () => {
    const id = await waiting();
    const ids = await send(id, '1');
    await first.begin();
    await first.client.query(
      `SELECT FROM ${open.tables.task} WHERE execution_id = $1 FOR NO KEY UPDATE`,
      [id],
    );
    await second.begin();
    expect(await deliverBy(second, ids)).toMatchObject({ isPartial: true });
    const taking = takeBy(waitOf(id))(first);
    await untilWaiting(open.admin, [first]);
    await second.commit();
    expect(await taking).toEqual({ kind: 'taken', result: '1' });
    await first.commit();
  });
});

test('an open checkpoint of a task that has ended is found once', async () => {
  const id = await waiting();
  await open.store.cancel(id, null);
  // As one that was sent just before the cancel.
  const { rows } = await open.admin.query<{ id: string }>(
    `INSERT INTO ${open.tables.signal} (execution_id, name, payload) VALUES ($1, 'go', '1') RETURNING id`,
    [id],
  );
  expect(await deliverBy(first, [rows[0]!.id])).toMatchObject({
    messages: 1,
    due: 0,
    isPartial: false,
  });
  const steps = await open.admin.query<{ event_name: string | null }>(
    `SELECT event_name FROM ${open.tables.step} WHERE execution_id = $1`,
    [id],
  );
  expect(steps.rows).toEqual([{ event_name: null }]);
});

describe('a signal for a task that runs between the look of its send and the lock', () => {
  const GATE = 77;
  const fence = 'AND t.claim_token = s.seen_token AND t.wakes = s.seen_wakes';

  /** The send stops after its look. The task then gives its wait up, and sleeps in another one. */
  async function meet(statement: typeof sendSignals) {
    const id = await waiting();
    const key = { executionId: id, taskNo: 0, itemNo: 0 };
    const of = parallel(1);
    const sleep = (token: number, wakes: number) =>
      open.store.reschedule([rescheduleOf('suspend', id, 0, { token, wakes, delayMs: null })]);
    await sleep(FIRST_TOKEN, 0);
    const claims = {
      lease: noLease(first.claimant),
      room: 1,
      definitions: [of.plan.definitionId],
      unknown: [],
    };
    const stopping = variant(statement, [
      'FROM sleeper s LEFT JOIN',
      `FROM (SELECT s.*, pg_advisory_xact_lock_shared(${GATE}) IS NULL AS passed FROM sleeper s OFFSET 0) s LEFT JOIN`,
    ]);
    await keeper.client.query(`SELECT pg_advisory_lock(${GATE})`);
    const signal = signalTo(id);
    const sending = first.run(stopping, [
      ...wakeClaimValues(claims, nextNo()),
      ...signalValues([signal]),
    ]);
    await untilWaiting(open.admin, [first]);
    await open.store.wake([key]);
    const claimed = await second.claim([of.plan.definitionId], 100);
    const { token = 0 } = claimed.find(({ executionId }) => executionId === id) ?? {};
    const step = {
      ...key,
      token,
      kind: 'signal',
      result: null,
      error: null,
      childId: null,
    } as const;
    await open.store.recordSteps([
      { ...step, name: 'wait', status: 'TimedOut', listensFor: null, due: null },
      { ...step, name: 'other', status: 'Open', listensFor: { name: 'other', key: id }, due: null },
    ]);
    await sleep(token, 1);
    await keeper.client.query(`SELECT pg_advisory_unlock(${GATE})`);
    const { ids } = signalRepliesOf(await sending, [signal]);
    const steps = await open.store.steps([key]);
    return { left: ids.length, wait: steps.find(({ name }) => name === 'wait')?.status };
  }

  test('is left to its delivery', async () => {
    expect(await meet(sendSignals)).toEqual({ left: 1, wait: 'TimedOut' });
  });

  test('without the comparison of the row with the snapshot, is given to a wait that is over', async () => {
    expect(await meet(variant(sendSignals, [fence, '']))).toEqual({ left: 0, wait: 'Done' });
  });
});

test('waits are found by their index, and messages by theirs', async () => {
  const id = await waiting();
  for (const [statement, values] of [
    [deliverSentMessages, [...wakeClaimValues(undefined, 0), ...deliveryValues(10, ['1'])]],
    [sendSignals, [...wakeClaimValues(undefined, 0), ...signalValues([signalTo(id)])]],
    [takeMessages, takeValues([waitOf(id)])],
  ] as const) {
    const nodes = await explain(first.client, open.tables, statement, values, { mode: 'generic' });
    for (const table of ['cloacina_signal', 'cloacina_task_step', 'cloacina_task_execution']) {
      const scans = scansOf(nodes, table);
      expect(scans.length).toBeGreaterThan(0);
      expect(
        scans.filter((scan) => !scan.startsWith('cloacina_') || scan.endsWith('whole')),
      ).toEqual([]);
    }
  }
});
