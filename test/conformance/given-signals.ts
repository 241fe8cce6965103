import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type {
  SignalMessage,
  SignalReplies,
  StepRecord,
  StepRow,
  TaskKey,
  WakeClaims,
} from '../../lib/store/port/index.js';
import { noteClaim } from './last-token.js';
import type { TestedStore } from './tested-store.js';
import { noLease, outcomeOf, parallel, rescheduleOf, type TestWorkflow } from './workflows.js';

/** Signals that are given to the tasks that sleep in a wait for them, in the statement that stores them. */
export function describeGivenSignals(tested: TestedStore): void {
  const worker = tested.worker();
  let of: TestWorkflow;
  let id: string;
  let key: TaskKey;
  beforeEach(async () => {
    of = parallel(2, { definitionId: tested.newDefinition() });
    id = await worker.startOne(of);
    key = { executionId: id, taskNo: 0, itemNo: 0 };
  });

  const signal = (more: Partial<SignalMessage> = {}): SignalMessage => ({
    kind: 'signal',
    to: { id },
    name: 'go',
    payload: '{"n":1}',
    idempotencyKey: uuid(),
    ...more,
  });
  const claims = (more: Partial<WakeClaims> = {}): WakeClaims => ({
    lease: noLease(worker.claimant),
    room: 10,
    definitions: [of.plan.definitionId],
    unknown: [],
    ...more,
  });
  async function send(
    signals: readonly SignalMessage[],
    may: Partial<WakeClaims> = {},
  ): Promise<SignalReplies> {
    const reply = await tested.store.messages.sendSignals(signals, claims(may));
    for (const { executionId, taskNo, token } of reply.claims)
      noteClaim(executionId, taskNo, token);
    return reply;
  }
  async function open(name = 'wait', more: Partial<StepRecord> = {}): Promise<void> {
    const task = { ...key, ...more };
    const { claim_token: token } = await tested.taskOf(task.executionId, task.taskNo);
    const record: StepRecord = {
      ...task,
      token,
      name,
      kind: 'signal',
      status: 'Open',
      result: null,
      error: null,
      childId: null,
      listensFor: { name: 'go', key: task.executionId },
      due: null,
      ...more,
    };
    await tested.store.recordSteps([record]);
  }
  async function sleep(task: Partial<TaskKey> = {}): Promise<void> {
    const { executionId, taskNo } = { ...key, ...task };
    const { claim_token: token, wakes } = await tested.taskOf(executionId, taskNo);
    const item = rescheduleOf('suspend', executionId, taskNo, { token, wakes, delayMs: null });
    await tested.store.reschedule([item]);
  }
  const stepOf = async (name = 'wait'): Promise<StepRow | undefined> =>
    (await tested.store.steps([key])).find((row) => row.name === name);
  const isLeft = async (reply: SignalReplies): Promise<void> => {
    expect(reply).toMatchObject({ claims: [], due: 0 });
    expect(reply.ids).toHaveLength(1);
    expect(await stepOf()).toMatchObject({ status: 'Open', result: null });
  };

  test('a task that sleeps in a wait gets its signal, and is claimed', async () => {
    await open('wait');
    await tested.behind.changeTask(id, 0, { attempt: 2 });
    await sleep();
    const reply = await send([signal()]);
    expect(reply).toMatchObject({
      replies: [{ stored: true, executionId: id, status: 'Running' }],
      ids: [],
      due: 0,
      claims: [{ ...key, wakes: 1, hasSteps: true, attempt: 0, input: '{}' }],
    });
    const done = { name: 'wait', status: 'Done', result: '{"n":1}' };
    expect(reply.claims[0]?.steps).toEqual([expect.objectContaining(done)]);
    expect(await stepOf()).toMatchObject(done);
    const { token } = reply.claims[0]!;
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Running',
      owner: worker.claimant.instanceId,
      claim_token: token,
      run_at: null,
    });
    const held = await tested.store.claimsOf(worker.claimant.instanceId);
    expect(held).toContainEqual(expect.objectContaining({ ...key, token }));
    const { accepted } = await worker.complete([outcomeOf(of, id, 0, { token })]);
    expect(accepted).toEqual([true]);
  });

  test('the signal is consumed', async () => {
    await open();
    await sleep();
    const { claims: made } = await send([signal()]);
    await open('next');
    const wait = { ...key, token: made[0]!.token, step: 'next' };
    const listens = [{ label: null, name: 'go', key: null, lookbackMs: null }];
    expect(await tested.store.messages.take([{ ...wait, listens }])).toEqual([{ kind: 'nothing' }]);
  });

  test.each(['"text"', 'null', '0', '[1,"ä"]'])('it carries %s', async (payload) => {
    await open();
    await sleep();
    const reply = await send([signal({ payload })]);
    expect(reply.claims[0]?.steps?.[0]).toMatchObject({ result: payload });
    expect(await stepOf()).toMatchObject({ result: payload });
  });

  test.each<[string, Partial<WakeClaims>]>([
    ['without room', { room: 0 }],
    ['of a definition that this process does not know', { definitions: [] }],
    ['with no handler here', { unknown: [['', 0]] }],
    ['that this process must not run now', { except: [] }],
  ])('a task %s gets its signal and is due for others', async (_name, may) => {
    await open();
    await sleep();
    const unknown = may.unknown && ([[of.plan.definitionId, 0]] as const);
    const except = may.except && [key];
    const reply = await send([signal()], {
      ...may,
      ...(unknown && { unknown }),
      ...(except && { except }),
    });
    expect(reply).toMatchObject({ ids: [], claims: [], due: 1 });
    expect(await stepOf()).toMatchObject({ status: 'Done' });
    expect(await tested.taskOf(id, 0)).toMatchObject({
      status: 'Waiting',
      owner: null,
      wakes: 1,
      run_at: expect.any(Date),
    });
    const claimed = await worker.claim([of.plan.definitionId], 5);
    expect(claimed).toEqual([expect.objectContaining({ ...key, wakes: 1 })]);
  });

  test('as many tasks are claimed as there is room for', async () => {
    const ids = [id, ...(await worker.startMany(of, 2))];
    for (const executionId of ids) {
      await open('wait', { executionId, listensFor: { name: 'go', key: executionId } });
      await sleep({ executionId });
    }
    const reply = await send(
      ids.map((each) => signal({ to: { id: each } })),
      { room: 2 },
    );
    expect(reply).toMatchObject({ ids: [], due: 1 });
    expect(reply.claims).toHaveLength(2);
  });

  describe('it is left to its delivery', () => {
    test('while the task runs', async () => {
      await open();
      await isLeft(await send([signal()]));
      expect(await tested.taskOf(id, 0)).toMatchObject({ status: 'Running', wakes: 0 });
    });

    test('while the execution is paused', async () => {
      await open();
      await sleep();
      await tested.store.pause(id, null);
      await isLeft(await send([signal()]));
    });

    test('while an older one is in the mailbox', async () => {
      await open();
      await sleep();
      await tested.store.messages.sendMessages([signal()]);
      await isLeft(await send([signal()]));
    });

    test('if it is the second of its name in the batch', async () => {
      await open();
      await sleep();
      const reply = await send([signal({ payload: '1' }), signal({ payload: '2' })]);
      expect(reply.ids).toHaveLength(1);
      expect(reply.claims).toHaveLength(1);
      expect(await stepOf()).toMatchObject({ result: '1' });
    });

    test('if the task has another open wait: it may not ask for this one any more', async () => {
      await open();
      await open('other', { kind: 'sleep', listensFor: null });
      await sleep();
      await isLeft(await send([signal()]));
    });

    test('if the task has many steps', async () => {
      for (let n = 0; n < 25; n++) {
        await open(`step#${n}`, { kind: 'step', status: 'Done', listensFor: null });
      }
      await open();
      await sleep();
      await isLeft(await send([signal()]));
    });

    test('if no task waits for its name', async () => {
      await open();
      await sleep();
      await isLeft(await send([signal({ name: 'other' })]));
    });
  });

  test('sent again, it is stored once, and given to no other wait', async () => {
    await open();
    await sleep();
    const one = signal();
    const { claims: made } = await send([one]);
    await open('next', { token: made[0]!.token });
    await sleep();
    const again = await send([one]);
    expect(again).toMatchObject({
      replies: [{ stored: true, executionId: id }],
      ids: [],
      claims: [],
      due: 0,
    });
    expect(await stepOf('next')).toMatchObject({ status: 'Open' });
  });

  test('of an ended or unknown execution, it is not stored', async () => {
    await open();
    await sleep();
    await tested.store.cancel(id, null);
    const { replies, ids } = await send([signal(), signal({ to: { id: uuid() } })]);
    expect(replies).toEqual([
      { stored: false, executionId: id, status: 'Cancelled' },
      { stored: false, executionId: null, status: null },
    ]);
    expect(ids).toEqual([]);
  });

  test('a delivery claims the tasks that it wakes, with their steps', async () => {
    await open();
    await sleep();
    const { ids } = await tested.store.messages.sendMessages([signal()]);
    const delivery = await tested.store.messages.deliver(10, ids, claims());
    expect(delivery).toMatchObject({ messages: 1, due: 0, isPartial: false });
    expect(delivery.claims).toEqual([expect.objectContaining({ ...key, wakes: 1, input: '{}' })]);
    expect(delivery.claims[0]?.steps).toEqual([expect.objectContaining({ status: 'Open' })]);
    const { token } = delivery.claims[0]!;
    noteClaim(id, 0, token);
    const listens = [{ label: null, name: 'go', key: null, lookbackMs: null }];
    const wait = { ...key, token, step: 'wait', listens };
    expect(await tested.store.messages.take([wait])).toEqual([
      { kind: 'taken', result: '{"n":1}' },
    ]);
  });
}
