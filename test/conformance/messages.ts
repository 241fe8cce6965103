import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import {
  FIRST_TOKEN,
  listenerName,
  type EventMessage,
  type Listen,
  type Message,
  type MessageWait,
  type SignalMessage,
  type StepRecord,
  type StepRow,
  type TakeReply,
  type TaskKey,
} from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, parallel, rescheduleOf, startOf, type TestWorkflow } from './workflows.js';

const DAY = 86_400_000;

/** The memory store's times are whole milliseconds. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise(setImmediate);
}

const GO: Listen = { label: null, name: 'go', key: null, lookbackMs: null };

export function describeMessages(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let key: TaskKey;
  /** The key of events that no other test has. */
  let about: string;
  beforeEach(async () => {
    of = parallel(2, { definitionId: tested.newDefinition(), name: `flow ${uuid()}` });
    id = await worker.startOne(of);
    key = { executionId: id, taskNo: 0, itemNo: 0 };
    about = uuid();
  });

  const messages = () => tested.store.messages;
  const signal = (more: Partial<SignalMessage> = {}): SignalMessage => ({
    kind: 'signal',
    to: { id },
    name: 'go',
    payload: '{"n":1}',
    idempotencyKey: uuid(),
    ...more,
  });
  const event = (more: Partial<EventMessage> = {}): EventMessage => ({
    kind: 'event',
    name: 'paid',
    key: about,
    payload: '"text"',
    idempotencyKey: uuid(),
    keepForMs: DAY,
    ...more,
  });
  const paid = (lookbackMs: number | null = null): Listen => ({
    label: null,
    name: 'paid',
    key: about,
    lookbackMs,
  });

  async function send(...sent: Message[]): Promise<readonly string[]> {
    const { ids } = await messages().sendMessages(sent);
    return ids;
  }
  const deliver = async (ids: readonly string[]) => messages().deliver(500, ids);

  /** Opens the checkpoint of a wait in a task that is claimed. */
  async function open(
    listen: Listen = GO,
    more: Partial<StepRecord> = {},
  ): Promise<{ readonly token: number; readonly step: string }> {
    const task = { ...key, ...more };
    const { claim_token: token } = await tested.taskOf(task.executionId, task.taskNo);
    const record: StepRecord = {
      ...task,
      token,
      name: 'wait',
      kind: listen.key === null ? 'signal' : 'event',
      status: 'Open',
      result: null,
      error: null,
      childId: null,
      listensFor: { name: listen.name, key: listen.key ?? task.executionId },
      due: null,
      ...more,
    };
    await tested.store.recordSteps([record]);
    return { token, step: record.name };
  }
  async function take(listens: readonly Listen[] = [GO], more: Partial<MessageWait> = {}) {
    const { claim_token: token } = await tested.taskOf(id, more.taskNo ?? 0);
    const wait = { ...key, token, step: 'wait', listens, ...more };
    return (await messages().take([wait]))[0];
  }
  async function suspend(taskNo = 0): Promise<void> {
    const { claim_token: token, wakes } = await tested.taskOf(id, taskNo);
    const item = rescheduleOf('suspend', id, taskNo, { token, wakes, delayMs: null });
    await tested.store.reschedule([item]);
  }
  const stepOf = async (name = 'wait', task: TaskKey = key): Promise<StepRow | undefined> =>
    (await tested.store.steps([task])).find((row) => row.name === name);
  const taken = (result: string): TakeReply => ({ kind: 'taken', result });

  describe('a signal', () => {
    test('waits for the task that takes it', async () => {
      expect(await send(signal())).toHaveLength(1);
      await open();
      expect(await take()).toEqual(taken('{"n":1}'));
      expect(await stepOf()).toMatchObject({ status: 'Done', result: '{"n":1}' });
    });

    test.each(['"text"', 'null', '0', '[1,"ä"]', '{}'])('carries %s', async (payload) => {
      await send(signal({ payload }));
      await open();
      expect(await take()).toEqual(taken(payload));
      expect(await stepOf()).toMatchObject({ result: payload });
    });

    test('wakes a task that waits for it when it is delivered, and no other', async () => {
      await open();
      expect(await take()).toEqual({ kind: 'nothing' });
      await suspend();
      await open(GO, { ...key, taskNo: 1, listensFor: { name: 'stop', key: id } });
      await suspend(1);
      const ids = await send(signal());
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Waiting', run_at: null });
      expect(await deliver(ids)).toEqual({
        messages: 1,
        toStart: [],
        claims: [],
        due: 1,
        isPartial: false,
        hasMore: false,
      });
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Waiting', wakes: 1 });
      expect((await tested.taskOf(id, 0)).run_at).not.toBeNull();
      expect(await tested.taskOf(id, 1)).toMatchObject({ wakes: 0, run_at: null });
    });

    test('wakes a wait that a later release opened again for it, at the time that it had', async () => {
      await open(GO, { due: { inMs: DAY } });
      const before = await stepOf();
      await open({ ...GO, name: 'stop' }, { due: { inMs: 5 } });
      const after = await stepOf();
      expect(after).toMatchObject({ status: 'Open', listensFor: { name: 'stop', key: id } });
      expect(Math.abs((after?.dueInMs ?? 0) - (before?.dueInMs ?? 0))).toBeLessThan(DAY / 2);
      await suspend();
      expect(await deliver(await send(signal()))).toMatchObject({ due: 0 });
      expect(await deliver(await send(signal({ name: 'stop' })))).toMatchObject({ due: 1 });
    });

    test('is delivered once', async () => {
      const ids = await send(signal());
      expect(await deliver(ids)).toMatchObject({ messages: 1, due: 0 });
      expect(await deliver(ids)).toMatchObject({ messages: 0 });
    });

    test('that is delivered to a running task keeps it from going to sleep', async () => {
      await open();
      const { wakes } = await tested.taskOf(id, 0);
      await deliver(await send(signal()));
      const item = rescheduleOf('suspend', id, 0, { token: FIRST_TOKEN, wakes, delayMs: null });
      expect(await tested.store.reschedule([item])).toEqual(['woken']);
    });

    test('wakes a paused task, which is not due', async () => {
      await open();
      await suspend();
      await tested.store.pause(id, null);
      expect(await deliver(await send(signal()))).toMatchObject({ due: 0 });
      expect((await tested.taskOf(id, 0)).run_at).not.toBeNull();
      expect(await worker.claim([of.plan.definitionId], 5)).toEqual([]);
      await tested.store.resume(id);
      expect(await worker.claim([of.plan.definitionId], 5)).toHaveLength(1);
    });

    test('does not wake a task that has ended', async () => {
      await open();
      await worker.complete([outcomeOf(of, id, 0)]);
      expect(await deliver(await send(signal()))).toMatchObject({ messages: 1, due: 0 });
      expect(await tested.taskOf(id, 0)).toMatchObject({ wakes: 0 });
    });

    test('of one name are taken in their order, each once', async () => {
      for (const n of [1, 2]) await send(signal({ payload: String(n) }));
      await open();
      expect(await take()).toEqual(taken('1'));
      await open(GO, { name: 'again' });
      expect(await take([GO], { step: 'again' })).toEqual(taken('2'));
      await open(GO, { name: 'third' });
      expect(await take([GO], { step: 'third' })).toEqual({ kind: 'nothing' });
    });

    test('is taken by one of two waits in a batch, and the other has to look again', async () => {
      await open();
      const other = { ...key, taskNo: 1 };
      await open(GO, { ...other });
      await send(signal());
      const waits = [0, 1].map((taskNo): MessageWait => {
        return { ...key, taskNo, token: FIRST_TOKEN, step: 'wait', listens: [GO] };
      });
      let replies = await messages().take(waits);
      if (replies[1]?.kind === 'contended')
        replies = [replies[0]!, ...(await messages().take([waits[1]!]))];
      expect(replies).toEqual([taken('{"n":1}'), { kind: 'nothing' }]);
    });

    test('is not taken twice by a look that is sent again', async () => {
      for (const n of [1, 2]) await send(signal({ payload: String(n) }));
      await open();
      await take();
      expect(await take()).toEqual({ kind: 'over' });
      expect(await stepOf()).toMatchObject({ result: '1' });
      await open(GO, { name: 'again' });
      expect(await take([GO], { step: 'again' })).toEqual(taken('2'));
    });

    test('is not taken by a claim that is lost', async () => {
      await open();
      await send(signal());
      await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
      expect(await take([GO], { token: FIRST_TOKEN })).toEqual({ kind: 'refused' });
      expect(await stepOf()).toMatchObject({ status: 'Open', result: null });
      await worker.claim([of.plan.definitionId], 5);
      expect(await take()).toEqual(taken('{"n":1}'));
    });

    test('takes failed attempts off the task, like every step', async () => {
      await open();
      await tested.behind.changeTask(id, 0, { attempt: 2, recoveryAttempts: 1 });
      expect(await take()).toEqual({ kind: 'nothing' });
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 2, recovery_attempts: 1 });
      await send(signal());
      await take();
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 0, recovery_attempts: 0 });
    });

    test('of another execution is not taken', async () => {
      const other = await worker.startOne(of);
      await send(signal({ to: { id: other } }));
      await open();
      expect(await take()).toEqual({ kind: 'nothing' });
    });
  });

  describe('the execution of a signal', () => {
    test('is found by its workflow and key', async () => {
      const keyed = startOf(of, { idempotencyKey: about, claims: 0 });
      await worker.startKeyed([keyed]);
      const to = { workflow: of.plan.workflow, key: about };
      const { replies, ids } = await messages().sendMessages([signal({ to })]);
      expect(replies).toEqual([{ stored: true, executionId: keyed.id, status: 'Pending' }]);
      expect(ids).toHaveLength(1);
    });

    test('has to exist', async () => {
      const unknown = [{ id: uuid() }, { workflow: of.plan.workflow, key: about }];
      const { replies, ids } = await messages().sendMessages(unknown.map((to) => signal({ to })));
      const reply = { stored: false, executionId: null, status: null };
      expect(replies).toEqual([reply, reply]);
      expect(ids).toEqual([]);
    });

    test('must not have ended', async () => {
      await tested.store.cancel(id, null);
      const { replies, ids } = await messages().sendMessages([signal()]);
      expect(replies).toEqual([{ stored: false, executionId: id, status: 'Cancelled' }]);
      expect(ids).toEqual([]);
    });

    test('may be paused', async () => {
      await tested.store.pause(id, null);
      const { replies } = await messages().sendMessages([signal()]);
      expect(replies).toEqual([{ stored: true, executionId: id, status: 'Paused' }]);
    });
  });

  describe('an idempotency key', () => {
    test('stores a signal once per execution and name', async () => {
      const one = signal({ idempotencyKey: 'k' });
      expect(await send(one)).toHaveLength(1);
      expect(await send(one, { ...one, payload: '2' })).toHaveLength(0);
      expect(await send({ ...one, name: 'other' })).toHaveLength(1);
      const other = await worker.startOne(of);
      expect(await send({ ...one, to: { id: other } })).toHaveLength(1);
    });

    test('stores one of two in a batch', async () => {
      const one = signal({ idempotencyKey: 'k' });
      expect(await send(one, one)).toHaveLength(1);
    });

    test('stores an event once per name and key', async () => {
      const one = event({ idempotencyKey: 'k' });
      expect(await send(one)).toHaveLength(1);
      expect(await send(one)).toHaveLength(0);
      expect(await send({ ...one, key: uuid() })).toHaveLength(1);
    });

    test('of a stored signal counts as stored after the end of the execution', async () => {
      const one = signal({ idempotencyKey: 'k' });
      await send(one);
      await tested.store.cancel(id, null);
      const { replies, ids } = await messages().sendMessages([one]);
      expect(replies).toEqual([{ stored: true, executionId: id, status: 'Cancelled' }]);
      expect(ids).toEqual([]);
    });
  });

  describe('an event', () => {
    test('is for every execution that waits for its name and key', async () => {
      const other = await worker.startOne(of);
      await open(paid());
      await open(paid(), { ...key, executionId: other, taskNo: 0 });
      await suspend();
      expect(await deliver(await send(event()))).toMatchObject({ messages: 1, due: 1 });
      expect(await stepOf()).toMatchObject({ status: 'Done', result: '"text"' });
      const late = { ...key, executionId: other, token: FIRST_TOKEN, step: 'wait' };
      expect(await messages().take([{ ...late, listens: [paid()] }])).toEqual([taken('"text"')]);
    });

    test('wakes a limited number of tasks at a time, each once', async () => {
      const wide = parallel(9, { definitionId: tested.newDefinition(), name: `wide ${uuid()}` });
      const executionId = await worker.startOne(wide);
      for (let taskNo = 0; taskNo < 9; taskNo++) {
        await open(paid(), { ...key, executionId, taskNo });
        const item = rescheduleOf('suspend', executionId, taskNo, { delayMs: null });
        await tested.store.reschedule([item]);
      }
      const ids = await send(event(), event({ key: uuid() }));
      const due: number[] = [];
      for (let hasMore = true; hasMore;) {
        const reply = await messages().deliver(4, ids);
        due.push(reply.due);
        ({ hasMore } = reply);
      }
      expect(due.length).toBeGreaterThan(2);
      expect(Math.max(...due)).toBeLessThanOrEqual(4);
      expect(due.reduce((sum, one) => sum + one, 0)).toBe(9);
      for (let taskNo = 0; taskNo < 9; taskNo++) {
        expect(await tested.taskOf(executionId, taskNo)).toMatchObject({ wakes: 1 });
      }
      expect(await deliver(ids)).toMatchObject({ messages: 0 });
    });

    test('that came during a wait is taken by it, also when its time is over', async () => {
      await open(paid());
      await send(event({ keepForMs: 0 }));
      await nextMillisecond();
      expect(await take([paid()])).toEqual(taken('"text"'));
    });

    test('that came during a wait is kept until the wait has taken it', async () => {
      await open(paid());
      // With another wait, the task is woken, and has to look.
      await open(GO, { name: 'other' });
      await suspend();
      const ids = await send(event({ keepForMs: 0 }));
      await messages().expireEvents(1_000);
      expect(await deliver(ids)).toMatchObject({ messages: 1, due: 1 });
      await messages().expireEvents(1_000);
      await worker.claim([of.plan.definitionId], 5);
      expect(await take([paid()])).toEqual(taken('"text"'));
      await nextMillisecond();
      await open(paid(DAY), { ...key, taskNo: 1 });
      const later = { ...key, taskNo: 1, token: FIRST_TOKEN, step: 'wait' };
      const listens = [paid(DAY)];
      // Its time was put off.
      expect(await messages().take([{ ...later, listens }])).toEqual([taken('"text"')]);
    });

    test('is found by a wait that begins later', async () => {
      await deliver(await send(event()));
      await open(paid());
      expect(await take([paid()])).toEqual(taken('"text"'));
    });

    test('is not found by another key, or as a signal', async () => {
      await send(event({ key: id, name: 'go' }), event({ key: uuid() }));
      await open(paid());
      expect(await take([paid(), GO])).toEqual({ kind: 'nothing' });
    });

    test('of a signal’s name does not wake its wait', async () => {
      await open();
      await suspend();
      expect(await deliver(await send(event({ key: id, name: 'go' })))).toMatchObject({ due: 0 });
    });

    test('older than the execution needs a lookback', async () => {
      await deliver(await send(event()));
      await nextMillisecond();
      id = await worker.startOne(of);
      key = { ...key, executionId: id };
      await open(paid());
      expect(await take([paid()])).toEqual({ kind: 'nothing' });
      expect(await take([paid(DAY)])).toEqual(taken('"text"'));
    });

    test('is not given to a task twice, but its next one is', async () => {
      await send(event({ payload: '1' }));
      await open(paid());
      await take([paid()]);
      await open(paid(), { name: 'next' });
      expect(await take([paid()], { step: 'next' })).toEqual({ kind: 'nothing' });
      await send(event({ payload: '2' }));
      expect(await take([paid()], { step: 'next' })).toEqual(taken('2'));
    });

    test('is deleted when it is kept no longer, and not found from then on', async () => {
      await send(event({ keepForMs: 0 }));
      await nextMillisecond();
      await open(paid());
      expect(await take([paid(DAY)])).toEqual({ kind: 'nothing' });
      const kept = await send(event());
      expect((await messages().expireEvents(1_000)).events).toBeGreaterThanOrEqual(1);
      expect(await messages().expireEvents(1_000)).toEqual({ events: 0, unstarted: [] });
      expect(await deliver(kept)).toMatchObject({ messages: 1 });
    });
  });

  describe('a wait for several', () => {
    const go: Listen = { ...GO, label: 'go' };
    const pay = (): Listen => ({ ...paid(), label: 'pay' });
    const listeners = async (): Promise<void> => {
      await open(go, { name: listenerName('wait', 'go') });
      await open(pay(), { name: listenerName('wait', 'pay') });
      await open(go, { listensFor: null });
    };

    test('takes the oldest, says which, and leaves the others', async () => {
      await listeners();
      await send(event(), signal());
      const reply = await take([go, pay()]);
      if (reply?.kind !== 'taken') throw new Error(reply?.kind);
      expect(JSON.parse(reply.result)).toEqual({ name: 'pay', payload: 'text' });
      expect((await tested.store.steps([key])).map(({ name }) => name)).toEqual(['wait']);
      await open(go, { name: 'later' });
      expect(await take([GO], { step: 'later' })).toEqual(taken('{"n":1}'));
    });

    test('is woken by each of them', async () => {
      await listeners();
      await suspend();
      expect(await deliver(await send(event()))).toMatchObject({ due: 1 });
    });

    test('gets another event the next time', async () => {
      await listeners();
      await send(event());
      await take([go, pay()]);
      await open(paid(), { name: 'next' });
      expect(await take([paid()], { step: 'next' })).toEqual({ kind: 'nothing' });
    });
  });

  describe('in a transaction', () => {
    const within = <T>(work: (transaction: never) => Promise<T>): Promise<T> =>
      tested.store.transaction(
        (transaction) => work(transaction.manager as never),
        new AbortController().signal,
      );

    test('a message is stored with the commit, and delivered after it', async () => {
      await open();
      await suspend();
      const reply = await within((manager) =>
        messages().sendMessageIn(manager, signal({ idempotencyKey: null }), 'payload', 1_000),
      );
      expect(reply).toEqual({ stored: true, executionId: id, status: 'Running' });
      let due = 0;
      for (let found = 1; found > 0;) {
        const delivery = await messages().deliver(500);
        found = delivery.messages;
        due += delivery.due;
      }
      expect(due).toBe(1);
    });

    test('it vanishes with a rollback', async () => {
      await within(async (manager) => {
        await messages().sendMessageIn(manager, signal({ idempotencyKey: 'k' }), 'payload', 1_000);
        throw new Error('no');
      }).catch(() => undefined);
      await open();
      expect(await take()).toEqual({ kind: 'nothing' });
      expect(await send(signal({ idempotencyKey: 'k' }))).toHaveLength(1);
    });

    test('it is refused like another', async () => {
      await tested.store.cancel(id, null);
      const [ended, unknown] = await within(async (manager) => [
        await messages().sendMessageIn(manager, signal(), 'payload', 1_000),
        await messages().sendMessageIn(manager, signal({ to: { id: uuid() } }), 'payload', 1_000),
      ]);
      expect(ended).toEqual({ stored: false, executionId: id, status: 'Cancelled' });
      expect(unknown).toMatchObject({ stored: false, executionId: null });
    });

    test('an event that was committed after an execution began is not older than it', async () => {
      let later = '';
      await within(async (manager) => {
        await messages().sendMessageIn(manager, event(), 'payload', 1_000);
        later = await worker.startOne(of);
      });
      id = later;
      key = { ...key, executionId: id };
      await open(paid());
      expect(await take([paid()])).toEqual(taken('"text"'));
    });

    test('an event that is committed after a later one was taken is for the next wait', async () => {
      await within(async (manager) => {
        const late = event({ payload: '1' });
        await messages().sendMessageIn(manager, late, 'payload', 1_000);
        await send(event({ payload: '2' }));
        await open(paid());
        expect(await take([paid()])).toEqual(taken('2'));
      });
      await open(paid(), { name: 'next' });
      expect(await take([paid()], { step: 'next' })).toEqual(taken('1'));
      await open(paid(), { name: 'third' });
      expect(await take([paid()], { step: 'third' })).toEqual({ kind: 'nothing' });
    });

    test('a key of an open transaction is held', async () => {
      await within(async (manager) => {
        const one = signal({ idempotencyKey: 'k' });
        await messages().sendMessageIn(manager, one, 'payload', 1_000);
        const failed = await messages()
          .sendMessages([one], 20)
          .catch((error: unknown) => tested.store.classifyFailure(error));
        expect(failed).toMatchObject({ isLockTimeout: true, retryable: true });
        expect(await send(signal())).toHaveLength(1);
      });
    });
  });
}
