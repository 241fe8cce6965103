import { describe, expect, it } from '@jest/globals';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

/** Slots for jobs that end when they are told to; notes in which order they begin. */
class Slots {
  readonly queue: SlotScheduler;
  readonly begun: string[] = [];
  private readonly lanes = new Map<string, TenantQueue>();
  private readonly running: { readonly tenant: string; readonly end: () => void }[] = [];

  constructor(limit: number) {
    this.queue = new SlotScheduler(limit, new ManualClock());
  }

  tenant(name: string, limit = 10, onRoom = (): void => undefined): TenantQueue {
    const lane = this.queue.createQueue(limit, onRoom);
    lane.open = true;
    this.lanes.set(name, lane);
    return lane;
  }

  add(tenant: string, count: number, suspect = false): void {
    for (let i = 0; i < count; i++) {
      this.lanes.get(tenant)?.add({
        priority: 0,
        suspect,
        giveBack: () => undefined,
        run: (end) => {
          this.begun.push(tenant);
          this.running.push({ tenant, end });
        },
      });
    }
  }

  /** Ends the one that runs longest, of that tenant or of all, and lets others begin. */
  async end(tenant?: string): Promise<void> {
    const at = this.running.findIndex((job) => tenant === undefined || job.tenant === tenant);
    this.running.splice(at, 1)[0]?.end();
    await turn();
  }

  async endAll(): Promise<void> {
    while (this.running.length > 0) await this.end();
  }
}

/** Each look at it takes time, as the handlers do between two looks. */
class ClockOfHandlers extends ManualClock {
  private looks = 0;

  override now(): number {
    return super.now() + ++this.looks / 100;
  }
}

/** Once round the event loop: bursts end with it. */
const turn = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('Slots of several tenants', () => {
  it('gives one slot to the tenants in turn, whatever each of them has waiting', async () => {
    const slots = new Slots(1);
    for (const tenant of ['a', 'b', 'c']) slots.tenant(tenant);
    slots.add('a', 6);
    slots.add('b', 2);
    slots.add('c', 3);
    await turn();
    await slots.endAll();
    expect(slots.begun.join('')).toBe('abcabcacaaa');
  });

  it('has one that comes late wait for one task of each of the others', async () => {
    const slots = new Slots(1);
    for (const tenant of ['a', 'b', 'late']) slots.tenant(tenant);
    slots.add('a', 50);
    slots.add('b', 50);
    await turn();
    slots.add('late', 1);
    for (let i = 0; i < 3; i++) await slots.end();
    expect(slots.begun).toContain('late');
    await slots.endAll();
    expect(slots.begun).toHaveLength(101);
  });

  it('passes over tenants that have all of their slots, and comes back to them', async () => {
    const slots = new Slots(4);
    slots.tenant('a', 1);
    slots.tenant('b', 2);
    slots.tenant('c', 4);
    slots.add('a', 3);
    slots.add('b', 3);
    await turn();
    expect(slots.begun.join('')).toBe('abb');
    slots.add('c', 1);
    await turn();
    expect(slots.begun.join('')).toBe('abbc');
    await slots.end('a');
    expect(slots.begun.join('')).toBe('abbca');
    await slots.endAll();
    expect([...slots.begun].sort().join('')).toBe('aaabbbc');
  });

  it('runs suspects of all tenants one at a time, and the others beside them', async () => {
    const slots = new Slots(10);
    for (const tenant of ['a', 'b']) slots.tenant(tenant);
    slots.add('a', 2, true);
    slots.add('b', 2, true);
    await turn();
    expect(slots.begun.join('')).toBe('a');
    slots.add('b', 1);
    await turn();
    expect(slots.begun.join('')).toBe('ab');
    await slots.end('a');
    expect(slots.begun).toHaveLength(3);
    await slots.endAll();
    expect([...slots.begun].sort().join('')).toBe('aabbb');
  });

  it('has room for a tenant while what another was promised is more than that one can run', async () => {
    const slots = new Slots(20);
    const big = slots.tenant('big', 10);
    const small = slots.tenant('small', 10);
    // Statements under way that may claim a hundred tasks for the one that has no more than ten slots.
    big.occupy(100);
    expect(small.capacity).toBe(10);
    big.unreserve(100);
    // But what runs takes its slots.
    big.occupy(10);
    const third = slots.tenant('third', 10);
    third.occupy(10);
    expect(small.capacity).toBe(0);
    big.unreserve(10);
    third.unreserve(10);
    await turn();
    expect(small.capacity).toBe(10);
  });

  it('has room for a batch of each of a hundred tenants at work, where handlers are short', () => {
    const slots = new Slots(100);
    const lanes = Array.from({ length: 100 }, (_, no) => slots.tenant(`t${no}`, 10));
    for (const lane of lanes) lane.observe(0.01);
    for (const lane of lanes) lane.hasBacklog = true;
    for (const lane of lanes) expect(lane.reserve(500)).toBeGreaterThan(150);
    // A tenant alone takes no more than its own bound.
    for (const lane of lanes) lane.unreserve(lane.reserved);
    for (const lane of lanes) lane.hasBacklog = false;
    expect(lanes[0]?.capacity).toBe(2_010);
  });

  it('prefetches nothing where handlers are long, however many tenants there are', () => {
    const slots = new Slots(100);
    const lanes = Array.from({ length: 20 }, (_, no) => slots.tenant(`t${no}`, 10));
    for (const lane of lanes) lane.observe(50);
    let taken = 0;
    for (const lane of lanes) taken += lane.reserve(500);
    expect(taken).toBe(100);
  });

  it('lets the event loop go round while handlers begin that take no time', async () => {
    const queue = new SlotScheduler(10, new ClockOfHandlers());
    const lane = queue.createQueue(10, () => undefined);
    lane.open = true;
    const ended: number[] = [];
    let seen: number | undefined;
    const jobs = 20_000;
    for (let i = 0; i < jobs; i++) {
      lane.add({
        priority: 0,
        suspect: false,
        giveBack: () => undefined,
        run: (end) => {
          ended.push(i);
          queueMicrotask(end);
        },
      });
    }
    setImmediate(() => (seen = ended.length));
    await lane.whenIdle();
    while (ended.length < jobs) await turn();
    expect(seen).toBeLessThan(jobs);
  });
});
