import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type {
  Delivery,
  EventMessage,
  Listen,
  StepRecord,
  StepRow,
  TaskKey,
} from '../../lib/store/port/index.js';
import { noteClaim } from './last-token.js';
import type { TestedStore } from './tested-store.js';
import { noLease, parallel, rescheduleOf, type TestWorkflow } from './workflows.js';

/** Events that their delivery gives to the tasks that sleep in a wait for them. */
export function describeGivenEvents(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let key: TaskKey;
  let about: string;
  beforeEach(async () => {
    of = parallel(2, { definitionId: tested.newDefinition() });
    key = { executionId: await worker.startOne(of), taskNo: 0, itemNo: 0 };
    about = uuid();
  });

  const event = (more: Partial<EventMessage> = {}): EventMessage => ({
    kind: 'event',
    name: 'paid',
    key: about,
    payload: '{"n":1}',
    idempotencyKey: uuid(),
    keepForMs: 86_400_000,
    ...more,
  });
  const send = async (...events: EventMessage[]): Promise<readonly string[]> =>
    (await tested.store.messages.sendMessages(events)).ids;
  async function deliver(ids: readonly string[], room = 10): Promise<Delivery> {
    const lease = noLease(worker.claimant);
    const claims = { lease, room, definitions: [of.plan.definitionId], unknown: [] };
    const delivery = await tested.store.messages.deliver(100, ids, claims);
    for (const { executionId, taskNo, token } of delivery.claims)
      noteClaim(executionId, taskNo, token);
    return delivery;
  }
  const tokenOf = async (): Promise<number> =>
    (await tested.taskOf(key.executionId, key.taskNo)).claim_token;
  async function open(name = 'wait', more: Partial<StepRecord> = {}): Promise<void> {
    const record: StepRecord = {
      ...key,
      token: await tokenOf(),
      name,
      kind: 'event',
      status: 'Open',
      result: null,
      error: null,
      childId: null,
      listensFor: { name: 'paid', key: about },
      due: null,
      ...more,
    };
    await tested.store.recordSteps([record]);
  }
  async function sleep(): Promise<void> {
    const { executionId, taskNo } = key;
    const { claim_token: token, wakes } = await tested.taskOf(executionId, taskNo);
    const item = rescheduleOf('suspend', executionId, taskNo, { token, wakes, delayMs: null });
    await tested.store.reschedule([item]);
  }
  const stepOf = async (name = 'wait'): Promise<StepRow | undefined> =>
    (await tested.store.steps([key])).find((row) => row.name === name);
  async function take(step = 'wait') {
    const listens: Listen[] = [{ label: null, name: 'paid', key: about, lookbackMs: null }];
    const wait = { ...key, token: await tokenOf(), step, listens };
    return (await tested.store.messages.take([wait]))[0];
  }
  const nextMillisecond = async (): Promise<void> => {
    const now = Date.now();
    while (Date.now() === now) await new Promise(setImmediate);
  };

  test('a task that sleeps in a wait gets its event, and is claimed', async () => {
    await open();
    await tested.behind.changeTask(key.executionId, 0, { attempt: 2 });
    await sleep();
    const delivery = await deliver(await send(event()));
    expect(delivery).toMatchObject({
      due: 0,
      claims: [{ ...key, wakes: 1, hasSteps: true, attempt: 0, input: '{}' }],
    });
    const done = { name: 'wait', status: 'Done', result: '{"n":1}' };
    expect(delivery.claims[0]?.steps).toEqual([expect.objectContaining(done)]);
    expect(await stepOf()).toMatchObject(done);
  });

  test('without room, the task is due, and its wait is over', async () => {
    await open();
    await sleep();
    expect(await deliver(await send(event()), 0)).toMatchObject({ due: 1, claims: [] });
    expect(await stepOf()).toMatchObject({ status: 'Done', result: '{"n":1}' });
    expect(await worker.claim([of.plan.definitionId], 5)).toHaveLength(1);
  });

  test('of two events the task gets the first, and the other one in its next wait', async () => {
    await open();
    await sleep();
    const first = await send(event({ payload: '1' }));
    const second = await send(event({ payload: '2' }));
    await deliver([...second, ...first]);
    expect(await stepOf()).toMatchObject({ status: 'Done', result: '1' });
    await open('next');
    expect(await take('next')).toEqual({ kind: 'taken', result: '2' });
  });

  describe('is only woken', () => {
    test('while an older event is undelivered', async () => {
      await open();
      await sleep();
      await send(event({ payload: '1' }));
      await deliver(await send(event({ payload: '2' })));
      expect(await stepOf()).toMatchObject({ status: 'Open' });
      expect(await take()).toEqual({ kind: 'taken', result: '1' });
    });

    test('if the task has another open wait: it may not ask for this one any more', async () => {
      await open();
      await open('other', { kind: 'signal', listensFor: { name: 'go', key: key.executionId } });
      await sleep();
      expect((await deliver(await send(event()))).claims).toHaveLength(1);
      expect(await stepOf()).toMatchObject({ status: 'Open' });
      expect(await take()).toEqual({ kind: 'taken', result: '{"n":1}' });
    });

    test('if the event is older than the wait: the task may accept no such event', async () => {
      const ids = await send(event());
      await nextMillisecond();
      await open();
      await sleep();
      expect((await deliver(ids)).claims).toHaveLength(1);
      expect(await stepOf()).toMatchObject({ status: 'Open' });
    });

    test('if the event is large', async () => {
      await open();
      await sleep();
      const payload = JSON.stringify(Array.from({ length: 500 }, () => uuid()));
      expect((await deliver(await send(event({ payload })))).claims).toHaveLength(1);
      expect(await stepOf()).toMatchObject({ status: 'Open' });
      expect(await take()).toEqual({ kind: 'taken', result: payload });
    });

    test('while the execution is paused', async () => {
      await open();
      await sleep();
      await tested.store.pause(key.executionId, null);
      expect(await deliver(await send(event()))).toMatchObject({ due: 0, claims: [] });
      expect(await stepOf()).toMatchObject({ status: 'Open' });
    });
  });

  test('an event of a transaction that the task has had is not given to its next wait', async () => {
    await open();
    await tested.store.transaction(async ({ manager }) => {
      await tested.store.messages.sendMessageIn(manager, event(), 'notice', 1_000);
    }, new AbortController().signal);
    // Not delivered yet.
    expect(await take()).toEqual({ kind: 'taken', result: '{"n":1}' });
    await open('next');
    await sleep();
    await tested.store.messages.deliver(500);
    expect(await stepOf('next')).toMatchObject({ status: 'Open' });
  });
}
