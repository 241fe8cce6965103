import { beforeEach, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type {
  EventMessage,
  EventSubscription,
  NewDefinition,
  PendingEventStart,
  SignalMessage,
} from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { parallel } from './workflows.js';

const DAY = 86_400_000;

export function describeEventStarts(tested: TestedStore): void {
  const worker = tested.worker();
  /** Names that no other test has. */
  let event: string;
  let workflow: string;
  beforeEach(async () => {
    event = `paid ${uuid()}`;
    workflow = `receipt ${uuid()}`;
    await register(workflow, [event]);
  });

  async function register(name: string, startsOn?: readonly string[]): Promise<NewDefinition> {
    const id = tested.newDefinition();
    const definition = startsOn === undefined ? {} : { startsOn };
    const unsaid = { version: undefined, description: undefined };
    const stored = { id, hash: `hash of ${id}`, name, definition, ...unsaid };
    await tested.store.definitions.register([stored]);
    return stored;
  }
  const message = (more: Partial<EventMessage> = {}): EventMessage => ({
    kind: 'event',
    name: event,
    key: 'inv-17',
    payload: '{"amount":1}',
    idempotencyKey: uuid(),
    keepForMs: DAY,
    ...more,
  });
  const { messages, eventStarts } = {
    messages: () => tested.store.messages,
    eventStarts: () => tested.store.eventStarts,
  };
  const deliver = (ids: readonly string[]) => messages().deliver(500, ids);
  async function emit(...sent: (EventMessage | SignalMessage)[]): Promise<readonly string[]> {
    const { ids } = await messages().sendMessages(sent);
    await deliver(ids);
    return ids;
  }
  const own = (): EventSubscription => ({ workflow, event });
  const take = (of: readonly EventSubscription[] = [own()], leaseMs = DAY, limit = 100) =>
    eventStarts().take(of, limit, leaseMs);
  const idsOf = (starts: readonly PendingEventStart[]): string[] =>
    starts.map(({ eventId }) => eventId);

  test('a delivered event is to start the workflows that have subscribed, once each', async () => {
    const other = `other ${uuid()}`;
    await register(other, ['something else', event]);
    const { ids } = await messages().sendMessages([message()]);
    expect(await take()).toEqual([]);
    const { toStart } = await deliver(ids);
    expect([...toStart].sort()).toEqual([other, workflow].sort());
    expect(await deliver(ids)).toMatchObject({ messages: 0, toStart: [] });
    const pending = { event, key: 'inv-17', payload: '{"amount":1}', attempts: 1 };
    const [first, ...more] = await take();
    expect(first).toEqual({ ...pending, workflow, eventId: ids[0], sentAt: expect.any(Date) });
    expect(Math.abs(Number(first?.sentAt) - Date.now())).toBeLessThan(DAY);
    expect(more).toEqual([]);
    expect(await take([{ workflow: other, event }])).toMatchObject([{ workflow: other }]);
  });

  test('a signal of the same name starts nothing, nor does another event', async () => {
    const id = await worker.startOne(parallel(1, { definitionId: tested.newDefinition() }));
    const signal: SignalMessage = {
      kind: 'signal',
      to: { id },
      name: event,
      payload: '1',
      idempotencyKey: uuid(),
    };
    await emit(signal, message({ name: `${event} too` }));
    expect(await take()).toEqual([]);
  });

  test('delivered events start workflows that subscribe later, if they are asked to, and once', async () => {
    const later = `later ${uuid()}`;
    const [delivered] = await emit(message());
    const { ids } = await messages().sendMessages([message()]);
    expect(idsOf(await take())).toEqual([delivered]);
    await register(later, [event]);
    const asked = [delivered!, ...ids];
    expect(await eventStarts().startFor(asked)).toContain(later);
    await eventStarts().startFor(asked);
    expect(idsOf(await take([{ workflow: later, event }]))).toEqual([delivered]);
    expect(await take()).toEqual([]);
    expect(await eventStarts().startFor([])).toEqual([]);
  });

  test('one that is taken is taken again only when its lease is over', async () => {
    const ids = await emit(message());
    expect(idsOf(await take([own()], 0))).toEqual(ids);
    expect(await take()).toMatchObject([{ eventId: ids[0], attempts: 2 }]);
    expect(await take()).toEqual([]);
  });

  test('one that was made is gone, and one that failed comes back with its turn', async () => {
    const ids = await emit(message(), message(), message());
    const [made, failed, later] = ids as [string, string, string];
    expect(idsOf(await take())).toEqual(ids);
    const failure = (retryInMs: number) => ({ error: '{"message":"no"}', retryInMs });
    await eventStarts().settle([
      { workflow, eventId: made },
      { workflow, eventId: failed, failure: failure(0) },
      { workflow, eventId: later, failure: failure(DAY) },
      { workflow: 'unknown', eventId: made },
    ]);
    expect(await take()).toMatchObject([{ eventId: failed, attempts: 2 }]);
  });

  test('they are taken oldest first, as many as were asked for, of each subscription', async () => {
    const second = `${event} 2`;
    await register(workflow, [event, second]);
    const ids = await emit(message(), message(), message({ name: second }), message());
    const both = [own(), { workflow, event: second }];
    expect(idsOf(await take(both, DAY, 2))).toEqual(ids.slice(0, 3));
    expect(idsOf(await take(both, DAY, 2))).toEqual(ids.slice(3));
  });

  test('only starts of the subscriptions that are named are taken', async () => {
    const ids = await emit(message());
    expect(await take([{ workflow, event: 'another' }])).toEqual([]);
    expect(await take([{ workflow: 'another', event }])).toEqual([]);
    expect(await take([])).toEqual([]);
    expect(idsOf(await take())).toEqual(ids);
  });

  test('the newest definition of a workflow decides what starts it', async () => {
    const ids = await emit(message());
    await register(workflow);
    await emit(message());
    const both = await register(workflow, [event, `${event} 2`]);
    await register(workflow, [`${event} 2`]);
    await emit(message());
    await tested.store.definitions.register([both]);
    const last = await emit(message());
    expect(idsOf(await take())).toEqual([...ids, ...last]);
  });

  test('an event of a transaction starts nothing before its commit', async () => {
    const { transaction } = {
      transaction: (work: (manager: never) => Promise<void>) =>
        tested.store.transaction(
          (open) => work(open.manager as never),
          new AbortController().signal,
        ),
    };
    const sendIn = async (manager: never): Promise<void> => {
      await messages().sendMessageIn(manager, message(), 'payload', 100);
    };
    await expect(
      transaction(async (manager) => {
        await sendIn(manager);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await messages().deliver(500);
    expect(await take()).toEqual([]);
    await transaction(sendIn);
    await messages().deliver(500);
    const [start] = await take();
    expect(Math.abs(Number(start?.sentAt) - Date.now())).toBeLessThan(DAY);
  });

  test('an event that expires takes its starts with it, and says so', async () => {
    await emit(message({ keepForMs: 0 }), message({ keepForMs: 0 }));
    const kept = await emit(message());
    expect(await messages().expireEvents(1_000)).toMatchObject({ unstarted: [workflow] });
    expect(await messages().expireEvents(1_000)).toEqual({ events: 0, unstarted: [] });
    expect(idsOf(await take())).toEqual(kept);
  });
}
