import { beforeEach, describe, expect, it } from '@jest/globals';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import type { Timer } from '../../../lib/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

/** A clock whose timers come late, as those of a process that was held up. */
class LateClock extends ManualClock {
  lateByMs = 0;

  override timer(callback: () => void, ms: number): Timer {
    return super.timer(callback, ms + this.lateByMs);
  }
}

let clock: LateClock;
let slots: SlotScheduler;
/** The tenants that were told of room, in order. */
let told: string[];
let givenBack: number;
/** What ends the tasks that run, in the order in which they began. */
let ends: (() => void)[];
beforeEach(() => scheduler(10));

function scheduler(limit: number): void {
  clock = new LateClock();
  slots = new SlotScheduler(limit, clock);
  [told, givenBack, ends] = [[], 0, []];
}

function tenant(name: string, limit = 10): TenantQueue {
  const queue = slots.createQueue(limit, () => told.push(name));
  queue.open = true;
  return queue;
}

/** Adds tasks, of which those begin that get a slot. */
async function add(queue: TenantQueue, count: number, suspect = false): Promise<void> {
  for (let n = 0; n < count; n++) {
    queue.add({
      priority: 0,
      suspect,
      run: (end) => ends.push(end),
      giveBack: () => givenBack++,
    });
  }
  await clock.advance(0);
}

describe('The capacity of a tenant', () => {
  it('is all there is for the only one that has work waiting', () => {
    const queue = tenant('a');
    queue.hasBacklog = true;
    expect(queue.capacity).toBe(10);
  });

  it('is a share where others are known to wait', () => {
    const [first, second] = [tenant('a'), tenant('b')];
    second.hasBacklog = true;
    expect(first.capacity).toBe(5);
  });

  it('is none while it may not claim, and such a tenant takes no share', () => {
    const [closed, without, other] = [tenant('a'), tenant('b', 0), tenant('c')];
    closed.open = false;
    for (const queue of [closed, without]) queue.hasBacklog = true;
    expect([closed.hasBacklog, without.hasBacklog]).toEqual([false, false]);
    expect([closed.capacity, without.capacity, other.capacity]).toEqual([0, 0, 10]);
  });

  it('is a share of the prefetch, though another tenant has prefetched all there was', async () => {
    const [big, small] = [tenant('big'), tenant('small')];
    for (const queue of [big, small]) queue.observe(1);
    await add(big, big.capacity);
    expect([slots.running, slots.queued]).toEqual([10, 200]);
    expect(small.capacity).toBe(210);
  });

  it('has no prefetch once handlers that were short do not end any more', async () => {
    const queue = tenant('a');
    queue.observe(1);
    await add(queue, 10);
    expect(queue.capacity).toBe(200);
    await clock.advance(20);
    expect(queue.capacity).toBe(0);
  });
});

describe('Room that comes free', () => {
  it('is told to the next tenant that has work waiting and can take some', async () => {
    const [full, other] = [tenant('full', 1), tenant('other')];
    full.occupy(1);
    for (const queue of [full, other]) queue.hasBacklog = true;
    other.occupy(2);
    other.unreserve(2);
    expect(told).toEqual([]);
    await clock.advance(0);
    expect(told).toEqual(['other']);
  });

  it('is told in turn', async () => {
    const queues = ['a', 'b'].map((name) => tenant(name));
    for (const queue of queues) queue.hasBacklog = true;
    for (let n = 0; n < 4; n++) slots.notifyCapacity();
    expect(told).toEqual(['a', 'b', 'a', 'b']);
  });
});

describe('A task that waits for a slot', () => {
  it('is given back when no handler ends', async () => {
    scheduler(1);
    await add(tenant('a'), 3);
    await clock.advance(99);
    expect([ends.length, givenBack]).toEqual([1, 0]);
    await clock.advance(1);
    expect([givenBack, slots.queued, clock.waiting]).toEqual([2, 0, 0]);
  });

  it('is kept while handlers end', async () => {
    scheduler(1);
    await add(tenant('a'), 3);
    await clock.advance(50);
    ends[0]!();
    await clock.advance(50);
    expect([ends.length, givenBack]).toEqual([2, 0]);
    await clock.advance(100);
    expect(givenBack).toBe(1);
  });

  it('is kept where it was the process that was held up', async () => {
    scheduler(1);
    clock.lateByMs = 50;
    await add(tenant('a'), 2);
    await clock.advance(150);
    expect(givenBack).toBe(0);
    clock.lateByMs = 0;
    await clock.advance(300);
    expect(givenBack).toBe(1);
  });

  it('is passed by where it is a suspect and one runs, and begins after it', async () => {
    const [first, second] = [tenant('a'), tenant('b')];
    await add(first, 1, true);
    await add(second, 1, true);
    await add(second, 1);
    expect([ends.length, second.running, second.waiting.length]).toEqual([2, 1, 1]);
    ends[0]!();
    expect([ends.length, second.running]).toEqual([3, 2]);
  });
});
