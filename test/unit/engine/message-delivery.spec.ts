import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MessageDelivery } from '../../../lib/engine/messages/message-delivery.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { Delivery, WakeClaims } from '../../../lib/store/port/index.js';
import { noLease } from '../../conformance/workflows.js';

type Call = readonly string[] | undefined;

const NOTHING: Delivery = {
  messages: 0,
  claims: [],
  due: 0,
  toStart: [],
  isPartial: false,
  hasMore: false,
};

const NO_CLAIMS: WakeClaims = { lease: noLease(), room: 0, definitions: [], unknown: [] };

Logger.overrideLogger(false);

describe('The delivery of messages', () => {
  let clock: ManualClock;
  let calls: Call[];
  /** The replies to come; then there is nothing. */
  let replies: (Delivery | Error)[];
  let woken: number;
  /** Whether looks find room: the next ones, and all others. */
  let rooms: boolean[];
  let hasRoom: boolean;
  let delivery: MessageDelivery;
  beforeEach(() => {
    clock = new ManualClock();
    calls = [];
    replies = [];
    woken = 0;
    rooms = [];
    hasRoom = true;
    delivery = new MessageDelivery({
      clock,
      tenant: 't',
      store: {
        messages: {
          deliver: async (_limit, ids) => {
            calls.push(ids);
            const reply = replies.shift() ?? NOTHING;
            if (reply instanceof Error) throw reply;
            return reply;
          },
        },
      },
      missed: () => Promise.resolve(),
      toStart: () => {},
      hasRoom: () => rooms.shift() ?? hasRoom,
      waker: {
        send: async (_tasks, statement) => {
          const reply = await statement(NO_CLAIMS);
          woken += reply.due;
          return reply;
        },
      },
    });
  });
  afterEach(() => delivery.close());

  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  async function passes(ms: number): Promise<void> {
    await turns();
    await clock.advance(ms);
    await turns();
  }

  it('delivers by ids, one statement at a time', async () => {
    delivery.deliver(['1', '2']);
    delivery.deliver(['3']);
    delivery.deliver([]);
    await delivery.whenIdle();
    expect(calls.flat()).toEqual(['1', '2', '3']);
    expect(delivery.isBusy).toBe(false);
  });

  it('tells of woken tasks', async () => {
    replies = [{ ...NOTHING, messages: 1, due: 1 }];
    delivery.deliver(['1']);
    await delivery.whenIdle();
    expect(woken).toBe(1);
  });

  it('looks again while statements are full', async () => {
    replies = [{ ...NOTHING, messages: 500 }];
    delivery.look();
    await delivery.whenIdle();
    expect(calls).toEqual([undefined, undefined]);
  });

  it('goes on at once with a message that many tasks listen for, in turn with new ones', async () => {
    const part = { ...NOTHING, messages: 1, due: 500, hasMore: true };
    replies = [part, { ...part, isPartial: true }, NOTHING, NOTHING];
    delivery.deliver(['1']);
    await Promise.resolve();
    delivery.deliver(['2']);
    await delivery.whenIdle();
    expect(calls).toEqual([['1'], undefined, ['2'], undefined]);
  });

  it('wakes further tasks when there is room for them, or after a tenth of a second', async () => {
    const part = { ...NOTHING, messages: 1, due: 500, hasMore: true };
    replies = [part, part, NOTHING];
    rooms = [false, false, true];
    hasRoom = false;
    delivery.deliver(['1']);
    await passes(5);
    expect(calls).toHaveLength(1);
    await passes(5);
    expect(calls).toHaveLength(2);
    for (let i = 0; i < 18; i++) await passes(5);
    expect(calls).toHaveLength(2);
    for (let i = 0; i < 3; i++) await passes(5);
    expect(calls).toHaveLength(3);
  });

  it('looks again after a pause when a listening task was locked', async () => {
    replies = [{ ...NOTHING, messages: 1, isPartial: true }];
    delivery.deliver(['1']);
    await turns();
    expect(calls).toEqual([['1']]);
    await passes(5);
    expect(calls).toEqual([['1'], undefined]);
    expect(delivery.isBusy).toBe(false);
  });

  it('delivers others at once while it waits for a locked task', async () => {
    const locked: Delivery = { ...NOTHING, messages: 1, isPartial: true };
    // The looks at 5, 15 and 35 ms find the task locked.
    replies = [locked, locked, locked, NOTHING, NOTHING];
    delivery.deliver(['1']);
    await passes(5);
    await passes(10);
    expect(calls).toEqual([['1'], undefined, undefined]);
    delivery.deliver(['2']);
    await turns();
    expect(calls.at(-1)).toEqual(['2']);
    expect(delivery.isBusy).toBe(true);
    await passes(20);
    await delivery.whenIdle();
    expect(calls).toEqual([['1'], undefined, undefined, ['2'], undefined]);
  });

  it('leaves messages to the sweep whose task stays locked', async () => {
    replies = Array.from({ length: 100 }, () => ({ ...NOTHING, messages: 500, isPartial: true }));
    delivery.deliver(['1']);
    for (let i = 0; i < 20; i++) await passes(1_000);
    expect(calls).toHaveLength(13);
    expect(delivery.isBusy).toBe(false);
  });

  it('looks for all messages after a failure, and leaves them to the sweep in the end', async () => {
    replies = Array.from({ length: 100 }, () => new Error('away'));
    delivery.deliver(['1']);
    for (let i = 0; i < 20; i++) await passes(1_000);
    expect(calls).toHaveLength(13);
    expect(calls.slice(1)).toEqual(Array.from({ length: 12 }, () => undefined));
    expect(delivery.isBusy).toBe(false);
    replies = [];
    delivery.look();
    await delivery.whenIdle();
    expect(calls).toHaveLength(14);
  });

  it('stops when it is closed', async () => {
    replies = [new Error('away')];
    delivery.deliver(['1']);
    await turns();
    delivery.close();
    await turns();
    delivery.look();
    expect(delivery.isBusy).toBe(false);
    expect(calls).toEqual([['1']]);
  });
});
