import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { LostSubscriptions } from '../../../lib/engine/messages/lost-subscriptions.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let clock: ManualClock;
/** What a look for lost definitions finds. */
let restore: () => Promise<boolean>;
let asked: (readonly string[])[];
let started: string[];
let subscriptions: LostSubscriptions;
beforeEach(() => {
  clock = new ManualClock();
  [asked, started] = [[], []];
  restore = () => Promise.resolve(true);
  subscriptions = new LostSubscriptions({
    clock,
    tenant: 'a',
    store: {
      eventStarts: {
        startFor: (eventIds) => {
          asked.push(eventIds);
          return Promise.resolve(['w']);
        },
      },
    },
    workflows: () => [],
    restore: () => restore(),
    toStart: (workflows) => void started.push(...workflows),
  });
});
afterEach(() => void jest.restoreAllMocks());

it('Each event whose subscription was lost starts its workflow', async () => {
  await subscriptions.missed(['1']);
  await subscriptions.missed(['2', '3']);
  expect([asked, started]).toEqual([
    [['1'], ['2', '3']],
    ['w', 'w'],
  ]);
});

it('An event starts its workflow too if another process has stored the subscription again', async () => {
  restore = () => Promise.resolve(false);
  await subscriptions.missed(['1']);
  expect([asked, started]).toEqual([[['1']], ['w']]);
});

it('Looks that find nothing lost are a second apart', async () => {
  restore = () => Promise.resolve(false);
  await subscriptions.missed(['1']);
  await clock.advance(999);
  await subscriptions.missed(['2']);
  await clock.advance(1);
  await subscriptions.missed(['3']);
  expect(asked).toEqual([['1'], ['3']]);
});

it('A look that fails is in the log, and the next event makes another one', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const look = restore;
  restore = () => Promise.reject(new Error('no connection'));
  await subscriptions.missed(['1']);
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/Tenant "a": .*no connection/)]]);
  restore = look;
  await subscriptions.missed(['2']);
  expect(asked).toEqual([['2']]);
});
