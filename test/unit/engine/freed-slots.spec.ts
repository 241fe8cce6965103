import { beforeEach, describe, expect, it } from '@jest/globals';
import { FreedSlots } from '../../../lib/engine/limits/freed-slots.js';
import type { ClaimedKey } from '../../../lib/store/port/index.js';
import { limitKeyOf } from '../../../lib/workflow/limit.js';

let isUnderWay: boolean;
let begun: string[];
let slots: FreedSlots;
beforeEach(() => {
  isUnderWay = false;
  begun = [];
  const lap = {
    get isUnderWay() {
      return isUnderWay;
    },
    begin: (key: string) => {
      begun.push(key);
      isUnderWay = true;
    },
    stop: () => void (isUnderWay = false),
  };
  slots = new FreedSlots({ limits: new Map(), joinedLimits: new Set(['joined']) }, lap);
});

const ada = limitKeyOf('api', 'ada');
const bob = limitKeyOf('api', 'bob');

function claimed(limitKey: string, count: number, hasTotal = true): ClaimedKey {
  return { limitKey, fate: 'done', claimed: count, tokenInMs: null, rate: null, hasTotal };
}

describe('FreedSlots', () => {
  it('looks for a key that waits for a freed slot, until a claim has taken it', () => {
    slots.freed(ada);
    expect([begun, slots.ownLap]).toEqual([[ada], true]);
    slots.sending();
    slots.claimed(claimed(bob, 1));
    slots.sent();
    expect([isUnderWay, slots.ownLap]).toEqual([false, false]);
  });

  it('goes on while a slot is left', () => {
    slots.freed(ada);
    slots.freed(bob);
    slots.sending();
    slots.claimed(claimed(bob, 1));
    slots.sent();
    expect(isUnderWay).toBe(true);
  });

  it('goes on for a slot that was freed while the statement was under way', () => {
    slots.freed(ada);
    slots.sending();
    slots.freed(ada);
    slots.claimed(claimed(bob, 1));
    slots.sent();
    expect(isUnderWay).toBe(true);
    slots.sending();
    slots.claimed(claimed(bob, 1));
    slots.sent();
    expect(isUnderWay).toBe(false);
  });

  it('lets a lap for all keys go on when the slots are taken', () => {
    slots.freed(ada);
    slots.lapIsForAll();
    slots.sending();
    slots.claimed(claimed(bob, 1));
    slots.sent();
    expect(isUnderWay).toBe(true);
  });

  it('adds nothing to a lap that is under way for all keys', () => {
    isUnderWay = true;
    slots.freed(ada);
    expect(slots.ownLap).toBe(false);
  });

  it('forgets the slots that no key has taken in a whole lap', () => {
    slots.freed(ada);
    slots.sending();
    isUnderWay = false;
    slots.sent();
    expect(slots.ownLap).toBe(false);
    isUnderWay = true;
    slots.sent();
    expect(isUnderWay).toBe(true);
  });

  it('knows a total that was set at run time from the latest claim', () => {
    expect(slots.areShared(ada)).toBe(false);
    slots.claimed(claimed(bob, 0));
    expect([slots.hasTotal(ada), slots.areShared(ada)]).toEqual([true, true]);
    slots.claimed(claimed(bob, 0, false));
    expect(slots.areShared(ada)).toBe(false);
  });

  it('shares the slots of a limit whose maps have keys of their own', () => {
    const key = limitKeyOf('joined', 'ada');
    expect([slots.hasTotal(key), slots.areShared(key)]).toEqual([false, true]);
  });
});
