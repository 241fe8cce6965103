import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClaimGate } from '../../../lib/engine/claims/claim-gate.js';
import { LimitedClaimer } from '../../../lib/engine/limits/limited-claimer.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type {
  ClaimedKey,
  ClaimedTask,
  LimitedClaims,
  LimitStore,
} from '../../../lib/store/port/index.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const KEY = 'stripe acct_17';

let clock: ManualClock;
let called: string[];
let state: { mayClaim: boolean };
/** What the next claims find; nothing when there are no more. */
let found: Partial<ClaimedKey>[];
/** The keys with due tasks. */
let due: string[];
/** Number of claims that use all the room that they have. */
let fullClaims: number;
let queue: TenantQueue;
let limited: LimitedClaimer;
beforeEach(() => {
  clock = new ManualClock();
  [called, found, due, fullClaims] = [[], [], [], 0];
  state = { mayClaim: true };
  queue = new SlotScheduler(10, clock).createQueue(10, () => undefined);
  queue.open = true;
  const limits: Pick<LimitStore, 'claim' | 'dueKeys'> = {
    dueKeys: async (_, after, count) => due.filter((key) => key > (after ?? '')).slice(0, count),
    claim: async (keys, room): Promise<LimitedClaims> => {
      called.push(`claim ${keys.map(({ limitKey }) => limitKey).join()}`);
      const first = found.shift() ?? {};
      const rate = first.tokenInMs === undefined ? null : { everyMs: 50, burst: 1 };
      const shown = { fate: 'done' as const, claimed: 0, tokenInMs: null, rate, ...first };
      // What was claimed takes the room.
      if (fullClaims > 0) queue.occupy(10);
      const claims = Array.from({ length: fullClaims-- > 0 ? room : 0 }, () => ({}) as ClaimedTask);
      return { claims, keys: keys.map(({ limitKey }) => ({ limitKey, ...shown })) };
    },
  };
  const gate: Pick<ClaimGate, 'withRoom'> = {
    withRoom: async (wanted, statement, follow) =>
      follow(await statement({} as never, wanted), wanted),
  };
  limited = new LimitedClaimer({
    clock,
    tenant: 't',
    state,
    store: { limits: limits as LimitStore, classifyFailure: () => ({}) as never },
    catalog: {
      claimable: { ids: ['1'], unknownTasks: [], limitedIds: ['1'], aging: [] },
      limits: new Map(),
    },
    queue,
    gate: gate as ClaimGate,
    except: () => [],
    consequences: {
      adopt: () => undefined,
      reconcile: () => called.push('reconcile'),
      leftReady: () => called.push('leftReady'),
      cannotClaim: () => called.push('cannotClaim'),
    },
  });
});

describe('LimitedClaimer', () => {
  it('claims for the key of a task that has ended', async () => {
    limited.slotFreed(KEY);
    await limited.whenIdle();
    expect(called).toEqual([`claim ${KEY}`]);
  });

  it('claims for ended and started tasks in turn with other keys while there is more work than room', async () => {
    due = ['a', 'b', KEY];
    fullClaims = 1;
    limited.ready([KEY]);
    await limited.whenIdle();
    expect(called).toEqual([`claim ${KEY}`, 'leftReady']);
    called.length = 0;
    queue.unreserve(10);
    limited.slotFreed(KEY);
    limited.ready([KEY]);
    await limited.whenIdle();
    expect(called[0]).toBe(`claim ${KEY},a,b`);
  });

  it('tells other processes of a free slot if it may not claim', async () => {
    state.mayClaim = false;
    limited.slotFreed(KEY);
    await limited.whenIdle();
    expect(called).toEqual(['cannotClaim']);
  });

  it('sends no statement for a key without a token until the token comes', async () => {
    found = [{ claimed: 1, tokenInMs: 50 }];
    limited.ready([KEY]);
    await limited.whenIdle();
    limited.ready([KEY]);
    limited.slotFreed(KEY);
    await limited.whenIdle();
    expect(called).toHaveLength(1);
    await clock.advance(51);
    await limited.whenIdle();
    expect(called).toHaveLength(2);
    // No token was missing, so tasks of the key are claimed at once again.
    limited.ready([KEY]);
    await limited.whenIdle();
    expect(called).toHaveLength(3);
  });

  it('looks later for the next token if another process took the last one', async () => {
    found = [{ tokenInMs: 50 }];
    limited.ready([KEY]);
    await limited.whenIdle();
    await clock.advance(60);
    expect(called).toHaveLength(1);
    await clock.advance(40);
    await limited.whenIdle();
    expect(called).toHaveLength(2);
  });

  it('looks again at once at a key that another process had locked', async () => {
    found = [{ fate: 'locked' }];
    limited.ready([KEY]);
    await limited.whenIdle();
    await clock.advance(6);
    await limited.whenIdle();
    expect(called).toHaveLength(2);
  });
});
