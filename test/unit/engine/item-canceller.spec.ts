import { beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { ItemCanceller } from '../../../lib/engine/map/item-canceller.js';
import type { CancelledItems, ItemCancel } from '../../../lib/store/port/index.js';
import { EngineScene } from './engine-scene.js';

const DONE: CancelledItems = {
  applied: true,
  cancelled: 0,
  last: 0,
  hasMore: false,
  wasRunning: false,
  isDue: false,
};

let scene: EngineScene;
let claim: TaskClaim;
/** What the statement returns, one after the other; then nothing is left to cancel. */
let pages: (Partial<CancelledItems> | Error)[];
let sent: ItemCancel[];
let ended: string[];
let canceller: ItemCanceller;
beforeEach(async () => {
  scene = new EngineScene();
  [claim] = (await scene.running()) as [TaskClaim];
  pages = [];
  sent = [];
  ended = [];
  canceller = new ItemCanceller({
    clock: scene.clock,
    address: 'address',
    store: {
      schema: 's',
      items: {
        cancel: async (cancel) => {
          sent.push(cancel);
          const page = pages.shift() ?? {};
          if (page instanceof Error) throw page;
          return { ...DONE, ...page };
        },
      },
    },
    whileUnavailable: { run: (work) => work(false) },
    claims: scene.claims,
    services: { notifyCancelled: (address, id) => ended.push(`notified ${address} ${id}`) },
    endChildren: async () => void ended.push('children'),
    giveBack: (_, delayMs) => ended.push(`given back for ${delayMs}`),
    leftReady: () => ended.push('due'),
  });
});

describe('ItemCanceller', () => {
  it('goes from the last item down, until a pass finds nothing', async () => {
    pages = [
      { cancelled: 2, last: 7, hasMore: true },
      { cancelled: 1, last: 3 },
    ];
    expect(await canceller.ofMap(claim)).toBe(true);
    expect(sent.map(({ below }) => below)).toEqual([2 ** 31 - 1, 7, 3, 2 ** 31 - 1]);
    expect(sent[0]!.token).toBe(claim.token);
    expect(ended).toEqual(['children']);
  });

  it('stops when the claim of the map is lost, and leaves its children alone', async () => {
    pages = [{ applied: false }];
    expect(await canceller.ofMap(claim)).toBe(false);
    expect([sent.length, ended]).toEqual([1, []]);
  });

  it('comes back for rows that others have locked', async () => {
    pages = [{ hasMore: true }];
    const cancelled = canceller.ofMap(claim);
    await scene.clock.advance(0);
    await scene.clock.advance(19);
    expect(sent).toHaveLength(1);
    await scene.clock.advance(1);
    expect(await cancelled).toBe(true);
    expect(sent).toHaveLength(2);
  });

  it('tells other processes of running items, and wakes the map once all have ended', async () => {
    pages = [{ cancelled: 1, wasRunning: true, isDue: true }];
    canceller.failFast(claim);
    await canceller.whenIdle();
    expect(ended).toEqual([`notified address ${claim.executionId}`, 'due']);
    expect(sent[0]!.token).toBeNull();
  });

  it('cancels the items of a map once at a time, whichever of them failed', async () => {
    canceller.failFast(claim);
    canceller.failFast(claim);
    expect(canceller.isBusy).toBe(true);
    await canceller.whenIdle();
    expect([sent.length, canceller.isBusy]).toEqual([1, false]);
    canceller.failFast(claim);
    await canceller.whenIdle();
    expect(sent).toHaveLength(2);
  });

  it('aborts items at once, and keeps their claims until their rows are cancelled', async () => {
    const item = asItem(claim);
    const cancelled = canceller.ofMap(claim);
    expect([item.signal.aborted, item.lost, scene.claims.holds(item)]).toEqual([true, true, true]);
    await cancelled;
    expect(scene.claims.holds(item)).toBe(false);
  });

  it('keeps those too that come while the items are being cancelled', async () => {
    const item = asItem(claim);
    canceller.failFast(item);
    const [later] = (await scene.running()) as [TaskClaim];
    Object.assign(later, { executionId: item.executionId, itemNo: 2 });
    canceller.failFast(later);
    expect([later.lost, scene.claims.holds(later)]).toEqual([true, true]);
    await canceller.whenIdle();
    expect([item, later].map((each) => scene.claims.holds(each))).toEqual([false, false]);
    expect(ended).toEqual([]);
  });

  it('gives claims back that it has aborted, if the items can not be cancelled now', async () => {
    pages = [new Error('away')];
    canceller.failFast(asItem(claim));
    await canceller.whenIdle();
    expect(ended).toEqual(['given back for 1000']);
  });
});

/** Makes the claim one of an item. */
function asItem(one: TaskClaim): TaskClaim {
  return Object.assign(one, { itemNo: 1 });
}
