import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClaimGate } from '../../../lib/engine/claims/claim-gate.js';
import { LimitedClaimer } from '../../../lib/engine/limits/limited-claimer.js';
import { joinLimitKeys, limitKeyOf, type CheckedNumbers } from '../../../lib/workflow/index.js';
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
let found: (Partial<ClaimedKey> & { readonly of?: string })[];
/** The keys with due tasks. */
let due: string[];
/** Number of reads of these keys. */
let reads: number;
/** Number of claims that use all the room that they have. */
let fullClaims: number;
/** The numbers of the code. */
let numbers: CheckedNumbers;
/** The names of limits that maps with a concurrency have. */
let joined: Set<string>;
/** Called while a claim is under way. */
let duringClaim: () => void;
/** Called while the keys are read. */
let duringRead: () => Promise<void> | undefined;
let onAdopt: () => void;
let queue: TenantQueue;
let limited: LimitedClaimer;
beforeEach(() => {
  clock = new ManualClock();
  [called, found, due, fullClaims] = [[], [], [], 0];
  reads = 0;
  state = { mayClaim: true };
  numbers = {};
  joined = new Set();
  duringClaim = () => undefined;
  duringRead = () => undefined;
  onAdopt = () => undefined;
  queue = new SlotScheduler(10, clock).createQueue(10, () => undefined);
  queue.open = true;
  const limits: Pick<LimitStore, 'claim' | 'dueKeys'> = {
    dueKeys: async (_, after, count) => {
      reads++;
      await duringRead();
      return due.filter((key) => key > (after ?? '')).slice(0, count);
    },
    claim: async (keys, room): Promise<LimitedClaims> => {
      called.push(`claim ${keys.map(({ limitKey }) => limitKey).join()}`);
      duringClaim();
      // Of the keys of a statement the first one that is asked for, or the first one of all.
      const { of = keys[0]?.limitKey, ...first } = found.shift() ?? {};
      const rate = first.tokenInMs === undefined ? null : { everyMs: 50, burst: 1 };
      const shown = { fate: 'done' as const, tokenInMs: null, rate, hasTotal: false };
      // What was claimed takes the room.
      if (fullClaims > 0) queue.occupy(10);
      const claims = Array.from({ length: fullClaims-- > 0 ? room : 0 }, () => ({}) as ClaimedTask);
      return {
        claims,
        keys: keys.map(({ limitKey }) => ({
          limitKey,
          ...shown,
          ...first,
          claimed: limitKey === of ? (first.claimed ?? 0) : 0,
        })),
      };
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
      claimable: {
        ids: ['1'],
        unknownTasks: [],
        limitedIds: ['1'],
        limitedBy: new Map([['l', ['1']]]),
        aging: [],
      },
      get limits() {
        return new Map([['stripe', numbers]]);
      },
      joinedLimits: joined,
    },
    queue,
    gate: gate as ClaimGate,
    except: () => [],
    consequences: {
      adopt: () => onAdopt(),
      reserved: () => undefined,
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

  it.each([0, 1, 2, 3, 4, 5])(
    'claims when room comes %s microtasks after a look without room',
    async (ticks) => {
      queue.occupy(10);
      limited.ready([KEY]);
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      queue.unreserve(10);
      limited.hasRoom();
      await limited.whenIdle();
      expect(called).toContain(`claim ${KEY}`);
    },
  );

  it('finds what became due since a look that found nothing', async () => {
    limited.look();
    await limited.whenIdle();
    due = [KEY];
    fullClaims = 1;
    limited.ready([KEY]);
    await limited.whenIdle();
    queue.unreserve(10);
    limited.hasRoom();
    await limited.whenIdle();
    expect(called.filter((call) => call === `claim ${KEY}`)).toHaveLength(2);
  });

  it('finds what was not due yet when the keys were read that a claim uses again', async () => {
    fullClaims = 2;
    for (let claims = 0; claims < 2; claims++) {
      limited.ready([KEY]);
      await limited.whenIdle();
      queue.unreserve(10);
    }
    // The second claim has read that no key is due, and has left tasks of its own key.
    due = [KEY];
    called.length = 0;
    limited.hasRoom();
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

  describe('with more work than room', () => {
    beforeEach(async () => {
      due = ['a', 'b', KEY];
      fullClaims = Infinity;
      limited.look();
      await limited.whenIdle();
    });

    /** Makes room for one more claim. */
    async function claimAgain(): Promise<string | undefined> {
      queue.unreserve(10);
      limited.slotFreed(KEY);
      await limited.whenIdle();
      return called.findLast((call) => call.startsWith('claim'));
    }

    it('reads the keys once for four claims, and those of the fifth one during the fourth', async () => {
      due = ['a', 'b', 'c', KEY];
      for (let n = 0; n < 2; n++) expect(await claimAgain()).not.toContain('c,');
      expect(reads).toBe(1);
      expect(await claimAgain()).not.toContain('c,');
      expect(reads).toBe(2);
      expect(await claimAgain()).toContain('c,');
      expect(reads).toBe(2);
    });

    it('is not idle while a read for the next claim is under way', async () => {
      for (let n = 0; n < 2; n++) await claimAgain();
      let answer: () => void = () => undefined;
      duringRead = () => new Promise<void>((resolve) => (answer = resolve));
      let isIdle = false;
      const claiming = claimAgain().then(() => (isIdle = true));
      await new Promise<void>((resolve) => clock.immediate(resolve));
      expect([reads, isIdle]).toEqual([2, false]);
      answer();
      await claiming;
    });

    it('sends the next claim before it adopts the tasks of one that used all its room', async () => {
      onAdopt = () => called.push('adopt');
      // There is room for each next claim.
      duringClaim = () => queue.occupy(-10);
      fullClaims = 1;
      called.length = 0;
      queue.unreserve(10);
      limited.slotFreed(KEY);
      await limited.whenIdle();
      const first = called.indexOf('adopt');
      expect(
        called.slice(0, first).filter((call) => call.startsWith('claim')).length,
      ).toBeGreaterThan(1);
    });

    it('claims for room that becomes free while it adopts tasks', async () => {
      let isFull = true;
      onAdopt = () => {
        if (isFull) queue.unreserve(10);
        isFull = false;
        limited.hasRoom();
      };
      fullClaims = 1;
      called.length = 0;
      queue.unreserve(10);
      limited.slotFreed(KEY);
      await limited.whenIdle();
      expect(called.filter((call) => call.startsWith('claim')).length).toBeGreaterThan(1);
    });

    it('reads them again when it is told to look, and after a while', async () => {
      limited.look();
      await claimAgain();
      expect(reads).toBe(2);
      await clock.advance(100);
      await claimAgain();
      expect(reads).toBe(3);
    });

    it('goes on to what is due now after a claim that left room', async () => {
      due.push('late');
      fullClaims = 0;
      expect(await claimAgain()).toContain('late');
    });
  });

  describe('with a total', () => {
    const [A, B, C] = ['a', 'b', 'c'].map((key) => limitKeyOf('stripe', key)) as [
      string,
      string,
      string,
    ];
    const claims = () => called.map((call) => call.replaceAll(limitKeyOf('stripe', ''), ''));
    beforeEach(() => {
      numbers = { total: 1 };
      due = [A, B, C];
    });

    it('claims for the keys behind that of the ended task first, and stops when the slot is taken', async () => {
      due.push(...Array.from({ length: 40 }, (_, n) => limitKeyOf('stripe', `d${n + 10}`)));
      found = [{ of: C, claimed: 1, hasTotal: true }];
      limited.slotFreed(B);
      await limited.whenIdle();
      expect(claims()).toEqual(['claim c,d10,d11,d12,d13,d14,d15,d16,d17,d18,b']);
    });

    it('goes on to other keys until the slot is taken', async () => {
      due = Array.from({ length: 12 }, (_, n) => limitKeyOf('stripe', `d${n + 10}`));
      limited.slotFreed(A);
      await limited.whenIdle();
      expect(claims()).toEqual([
        'claim d10,d11,d12,d13,d14,d15,d16,d17,d18,d19,a',
        'claim d20,d21',
      ]);
      // The slot is free, and no key takes it: the next one that is ready does.
      limited.ready([A]);
      await limited.whenIdle();
      expect(claims()).toHaveLength(3);
    });

    it('gives each key its turn, also while tasks of one are started all the time', async () => {
      const turns: string[] = [];
      limited.slotFreed(C);
      for (let n = 0; n < 6; n++) {
        limited.ready([A]);
        const next = [A, B, C][n % 3]!;
        found = [{ of: next, claimed: 1, hasTotal: true }];
        await limited.whenIdle();
        turns.push(claims().at(-1)!);
        limited.slotFreed(next);
      }
      expect(turns.map((call) => call.slice(0, 'claim a'.length))).toEqual(
        ['a', 'b', 'c', 'a', 'b', 'c'].map((key) => `claim ${key}`),
      );
    });

    it('looks again for a slot that was freed while a claim was under way', async () => {
      found = [{ of: B, claimed: 1, hasTotal: true }];
      duringClaim = () => {
        duringClaim = () => undefined;
        limited.slotFreed(B);
      };
      limited.ready([B]);
      await limited.whenIdle();
      expect(claims()).toEqual(['claim b', 'claim c,a,b']);
    });

    it('knows a total that was set at run time from the claims', async () => {
      numbers = {};
      found = [{ of: A, claimed: 1, hasTotal: true }];
      limited.ready([A]);
      await limited.whenIdle();
      limited.slotFreed(A);
      await limited.whenIdle();
      // The claim shows that the total is no more.
      limited.slotFreed(A);
      await limited.whenIdle();
      expect(claims()).toEqual(['claim a', 'claim b,c,a', 'claim a']);
    });

    it('looks at the other keys although its own has no token', async () => {
      found = [{ of: A, claimed: 1, tokenInMs: 50, hasTotal: true }];
      limited.ready([A]);
      await limited.whenIdle();
      due = [B];
      limited.slotFreed(A);
      await limited.whenIdle();
      expect(claims()).toEqual(['claim a', 'claim b']);
    });
  });

  it('looks at the other keys of a limit that items of maps with a concurrency count for', async () => {
    joined.add('stripe');
    const key = limitKeyOf('stripe', 'acct_17');
    const other = joinLimitKeys(key, 'map\u001e1\u001e0\u001fx');
    due = [key, other];
    limited.slotFreed(key);
    await limited.whenIdle();
    limited.slotFreed(other);
    await limited.whenIdle();
    expect(called).toEqual([`claim ${other},${key}`, `claim ${key},${other}`]);
  });

  it('keeps no more than ten thousand keys of started tasks in memory, and finds the others', async () => {
    queue.occupy(10);
    const keys = Array.from({ length: 10_001 }, (_, n) => `stripe ${n}`);
    limited.ready(keys.slice(0, 10_000));
    await limited.whenIdle();
    queue.unreserve(10);
    due = [keys[10_000]!];
    limited.ready(due);
    await limited.whenIdle();
    expect(called.filter((call) => call.startsWith('claim')).join()).toContain(keys[10_000]);
    expect(reads).toBeGreaterThan(0);
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
