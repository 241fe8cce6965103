import { beforeEach, describe, expect, it } from '@jest/globals';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import type { Timer } from '../../../lib/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

/** A clock whose timers come late, as those of a process that was held up. */
class LateClock extends ManualClock {
  lateByMs = 0;
  /** Time that passes within a turn of the event loop. */
  busyMs = 0;

  override now(): number {
    return super.now() + this.busyMs;
  }

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

/** Ten tasks that begin and end in one turn, beside other work that takes `otherMs`. Each takes `eachMs`. */
async function runInOneTurn(queue: TenantQueue, otherMs: number, eachMs: number): Promise<void> {
  for (let n = 0; n < 10; n++) {
    const run = (end: () => void): void => void ends.push(end);
    queue.add({ priority: 0, suspect: false, run, giveBack: () => givenBack++ });
  }
  await Promise.resolve();
  expect(ends).toHaveLength(10);
  clock.busyMs += otherMs;
  for (const end of ends.splice(0)) {
    clock.busyMs += eachMs;
    end();
  }
  await clock.advance(0);
}

describe('The capacity of a tenant', () => {
  it('is all there is for the only one that has work waiting', () => {
    const queue = tenant('a');
    queue.hasBacklog = true;
    expect(queue.capacity).toBe(10);
  });

  it('is left to starts while claims of idle tenants are under way', async () => {
    scheduler(100);
    const tenants = Array.from({ length: 11 }, (_, n) => tenant(`${n}`));
    for (const queue of tenants) await runInOneTurn(queue, 0, 0);
    const [starting, ...claiming] = tenants;
    for (const queue of claiming) expect(queue.reserve(Infinity, true)).toBeGreaterThan(10);
    expect(starting?.reserve(1)).toBe(1);
    for (const queue of claiming) queue.unreserve(queue.reserved, true);
    expect(slots.reserved).toBe(1);
  });

  it('is hoped for by no more claims than there are slots', () => {
    scheduler(100);
    const granted = Array.from({ length: 20 }, (_, n) => tenant(`${n}`).reserve(Infinity, true));
    expect(granted).toEqual([...Array<number>(10).fill(10), ...Array<number>(10).fill(0)]);
  });

  it('is taken by starts under way, which are sure to bring their tasks', () => {
    scheduler(100);
    for (let n = 0; n < 10; n++) expect(tenant(`${n}`).reserve(Infinity)).toBe(10);
    expect(tenant('starting').reserve(1)).toBe(0);
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

describe('The prefetch', () => {
  it('covers some round trips to the server, where these take long', () => {
    const queue = tenant('a');
    queue.observe(30);
    expect([queue.prefetch, queue.isStuck]).toEqual([0, false]);
    for (let n = 0; n < 100; n++) queue.observeRoundTrip(100);
    expect(Math.round(queue.prefetchMs)).toBe(300);
    expect(queue.prefetch).toBeGreaterThanOrEqual(99);
  });

  it('is large for handlers that do nothing, although the turn in which they run takes long', async () => {
    const queue = tenant('a');
    for (let n = 0; n < 10; n++) await runInOneTurn(queue, 5, 0.01);
    expect(queue.prefetch).toBeGreaterThan(1_000);
  });

  it('is none for handlers that compute for long in one turn', async () => {
    const queue = tenant('a');
    for (let n = 0; n < 10; n++) await runInOneTurn(queue, 0, 50);
    expect(queue.prefetch).toBe(0);
  });

  it('counts the whole time of handlers that end in a later turn, also if many end together', async () => {
    const queue = tenant('a');
    for (let n = 0; n < 10; n++) {
      await add(queue, 10);
      await clock.advance(5);
      for (const end of ends.splice(0)) end();
    }
    expect(queue.prefetch).toBe(40);
  });

  it('is the work of half a second at most, and none where handlers take longer', () => {
    const [short, long] = [tenant('short'), tenant('long')];
    short.observe(100);
    long.observe(500);
    for (const queue of [short, long]) queue.observeRoundTrip(60_000);
    expect([short.prefetch, long.prefetch]).toEqual([50, 0]);
  });

  it('is given back later where it covers longer round trips', async () => {
    scheduler(1);
    const queue = tenant('a');
    queue.observeRoundTrip(500);
    expect(queue.prefetchMs).toBe(300);
    await add(queue, 3);
    await clock.advance(500);
    expect(givenBack).toBe(0);
    await clock.advance(100);
    expect(givenBack).toBe(2);
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

describe('More work', () => {
  it('is wanted once half of the prefetch is used up', () => {
    const queue = tenant('a');
    queue.observe(1);
    queue.hasBacklog = true;
    queue.occupy(210);
    queue.occupy(-99);
    slots.notifyCapacity();
    expect([queue.capacity, queue.wantsMore, told]).toEqual([99, false, []]);
    queue.occupy(-1);
    slots.notifyCapacity();
    expect([queue.wantsMore, told]).toEqual([true, ['a']]);
  });

  it('is wanted for every slot that is free where handlers are long', async () => {
    const queue = tenant('a');
    queue.observe(1_000);
    await add(queue, 10);
    expect(queue.wantsMore).toBe(false);
    ends[0]!();
    expect(queue.wantsMore).toBe(true);
  });

  it('is wanted behind suspects, which leave slots free', async () => {
    const queue = tenant('a');
    queue.observe(1);
    queue.hasBacklog = true;
    await add(queue, 200, true);
    expect([queue.running, queue.capacity, queue.wantsMore]).toEqual([1, 10, true]);
  });

  it('is wanted by one of many tenants within a millisecond', async () => {
    scheduler(100);
    const others = Array.from({ length: 20 }, (_, i) => tenant(`other ${i}`, 1));
    for (const queue of others) {
      queue.occupy(1);
      queue.hasBacklog = true;
    }
    slots.notifyCapacity();
    const queue = tenant('a');
    queue.hasBacklog = true;
    slots.notifyCapacity();
    expect(told).toEqual([]);
    await clock.advance(1);
    expect([told, clock.waiting]).toEqual([['a'], 0]);
  });
});

describe('A process', () => {
  it('is stuck while long handlers have all of its slots', async () => {
    const queue = tenant('a', 1);
    expect(queue.isStuck).toBe(false);
    await add(queue, 1);
    expect(queue.isStuck).toBe(false);
    await clock.advance(20);
    expect(queue.isStuck).toBe(true);
    ends[0]!();
    expect(queue.isStuck).toBe(false);
  });

  it('is stuck where it runs no tasks', () => {
    expect(tenant('a', 0).isStuck).toBe(true);
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
