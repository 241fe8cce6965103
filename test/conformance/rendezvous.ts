import { describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type { Message, MessageWait, StepRecord } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { noLease, parallel, rescheduleOf } from './workflows.js';

/** A step of the sender, or of the task that waits. */
type Act = () => Promise<void>;

/** The orders in which two sequences can be interleaved. */
function interleavings<T>(a: readonly T[], b: readonly T[]): T[][] {
  const [firstA, ...restA] = a;
  const [firstB, ...restB] = b;
  if (firstA === undefined || firstB === undefined) return [[...a, ...b]];
  return [
    ...interleavings(restA, b).map((rest) => [firstA, ...rest]),
    ...interleavings(a, restB).map((rest) => [firstB, ...rest]),
  ];
}

interface Protocol {
  readonly wait: readonly ('open' | 'look' | 'suspend' | 'suspendBlindly')[];
  readonly send: readonly ('store' | 'give' | 'deliver')[];
}

const PROTOCOL: Protocol = { wait: ['open', 'look', 'suspend'], send: ['store', 'deliver'] };
const GIVING: Protocol = { ...PROTOCOL, send: ['give', 'deliver'] };
const ORDERS = interleavings<string>(PROTOCOL.wait, PROTOCOL.send);
const GIVING_ORDERS = interleavings<string>(GIVING.wait, GIVING.send);

/** A sender and a task that waits meet in every order of their statements. */
export function describeRendezvous(tested: TestedStore): void {
  const worker = tested.worker();

  /** Runs the acts in an order. Returns whether the task sleeps although there is a message for it. */
  async function sleepsAfter(order: readonly string[], kind: Message['kind']): Promise<boolean> {
    const definitionId = tested.newDefinition();
    const id = await worker.startOne(parallel(1, { definitionId }));
    const about = uuid();
    const { claim_token: token, wakes } = await tested.taskOf(id, 0);
    const key = { executionId: id, taskNo: 0, itemNo: 0, token };
    const isEvent = kind === 'event';
    const listen = { label: null, name: 'go', key: isEvent ? about : null, lookbackMs: null };
    const common = { name: 'go', payload: '1', idempotencyKey: uuid() };
    const message: Message = isEvent
      ? { ...common, kind: 'event', key: about, keepForMs: 60_000 }
      : { ...common, kind: 'signal', to: { id } };
    const record: StepRecord = {
      ...key,
      name: 'wait',
      kind,
      status: 'Open',
      result: null,
      error: null,
      childId: null,
      listensFor: { name: 'go', key: isEvent ? about : id },
      due: null,
    };
    const wait: MessageWait = { ...key, step: 'wait', listens: [listen] };
    let ids: readonly string[] = [];
    let isTaken = false;
    const suspend = async (seen: number): Promise<void> => {
      if (isTaken) return;
      const item = rescheduleOf('suspend', id, 0, { token, wakes: seen, delayMs: null });
      await tested.store.reschedule([item]);
    };
    const acts: Readonly<Record<string, Act>> = {
      open: async () => void (await tested.store.recordSteps([record])),
      look: async () => {
        const [reply] = await tested.store.messages.take([wait]);
        isTaken = reply?.kind === 'taken';
      },
      suspend: () => suspend(wakes),
      // Without the counter: as if the task had been woken no more often than it is now.
      suspendBlindly: async () => suspend((await tested.taskOf(id, 0)).wakes),
      store: async () => void ({ ids } = await tested.store.messages.sendMessages([message])),
      give: async () => {
        if (message.kind === 'event') throw new Error('Only signals are given.');
        const claims = { lease: noLease(), room: 0, definitions: [], unknown: [] };
        ({ ids } = await tested.store.messages.sendSignals([message], claims));
      },
      deliver: async () => void (await tested.store.messages.deliver(10, ids)),
    };
    for (const act of order) await acts[act]?.();
    const { status, run_at } = await tested.taskOf(id, 0);
    return !isTaken && status === 'Waiting' && run_at === null;
  }

  async function lostOf({ wait, send }: Protocol, kind: Message['kind']): Promise<string[][]> {
    const lost: string[][] = [];
    for (const order of interleavings<string>(wait, send)) {
      if (await sleepsAfter(order, kind)) lost.push(order);
    }
    return lost;
  }

  describe('of a signal that is given at once to a task that sleeps', () => {
    test.each(GIVING_ORDERS)('%s, %s, %s, %s, %s: the task has it, or is due', async (...order) => {
      expect(await sleepsAfter(order, 'signal')).toBe(false);
    });

    test('without its delivery, one for a task that goes to sleep would be lost', async () => {
      const lost = await lostOf({ ...GIVING, send: ['give'] }, 'signal');
      expect(lost).toEqual([['open', 'look', 'give', 'suspend']]);
    });
  });

  describe.each(['signal', 'event'] as const)('of a %s', (kind) => {
    test.each(ORDERS)('%s, %s, %s, %s, %s: the task has it, or is due', async (...order) => {
      expect(await sleepsAfter(order, kind)).toBe(false);
    });

    test('a wake-up without a counter would be lost before the suspension', async () => {
      const lost = await lostOf({ ...PROTOCOL, wait: ['open', 'look', 'suspendBlindly'] }, kind);
      expect(lost).toEqual([['open', 'look', 'store', 'deliver', 'suspendBlindly']]);
    });

    test('a look before the checkpoint is stored would miss messages', async () => {
      const lost = await lostOf({ ...PROTOCOL, wait: ['look', 'open', 'suspend'] }, kind);
      expect(lost).toContainEqual(['look', 'store', 'deliver', 'open', 'suspend']);
    });
  });
}
