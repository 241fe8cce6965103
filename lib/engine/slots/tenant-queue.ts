import type { SlotScheduler } from './slot-scheduler.js';

/** How much work is prefetched beside the running handlers: what they complete in this time, in milliseconds. */
const PREFETCH_MS = 20;
/** Tasks of one tenant to prefetch at most, however short the handlers are. */
const MAX_PREFETCH = 2_000;
/** Weight of the newest handler in the geometric mean of their durations, which no pause of the process turns. */
const SMOOTHING = 0.1;
/** What a handler counts for at least, in milliseconds. */
const SHORTEST_MS = 0.01;
export interface QueuedTask {
  /** Higher first. */
  readonly priority: number;
  /** Runs the handler, and calls `freeSlot` once when its slot is free. */
  readonly run: (freeSlot: () => void) => void;
  /** Leaves it to others: it waits for a slot and none comes free. */
  readonly giveBack: () => void;
  /** It has been lost with its process more than once: it runs beside no other suspect. */
  readonly suspect: boolean;
}

/** The slots of one tenant in this process, and what waits for one. */
export class TenantQueue {
  running = 0;
  /** Room that was promised: to statements under way, and to claims that are not in line yet. */
  reserved = 0;
  /** Handlers of this tenant that were given up and have not returned: they have no slot any more. */
  abandonedHandlers = 0;
  /** By priority, then first come. */
  readonly waiting: QueuedTask[] = [];
  private isOpen = true;
  /** Mean duration of the handlers, in milliseconds; before the first one nothing is prefetched. */
  private meanMs: number | undefined;
  /** When a handler of this tenant last began or ended. */
  private progressedAt = 0;

  constructor(
    readonly limit: number,
    private readonly slots: SlotScheduler,
    /** Called when a slot came free while work of this tenant is known to wait. */
    readonly onCapacity: () => void,
  ) {}

  /** Whether work of this tenant is known to wait in the database. */
  get hasBacklog(): boolean {
    return this.slots.backlogged.has(this);
  }

  set hasBacklog(waits: boolean) {
    // One that can take nothing, now or ever, must not count among those who share the room.
    if (waits && this.isOpen && this.limit > 0) this.slots.backlogged.add(this);
    else this.slots.backlogged.delete(this);
  }

  get open(): boolean {
    return this.isOpen;
  }

  /** Closed: nothing may be claimed, whatever is free. */
  set open(open: boolean) {
    this.isOpen = open;
    if (!open) this.hasBacklog = false;
  }

  /** Tasks that it runs, or will run without asking for more room. */
  get occupied(): number {
    return this.running + this.waiting.length + this.reserved;
  }

  /** How long no handler of this tenant has begun or ended, in milliseconds. */
  get stalledMs(): number {
    return this.slots.clock.now() - this.progressedAt;
  }

  /**
   * Tasks that may be claimed beyond the free slots. None while handlers are long, be it on the whole or just now:
   * they would be hoarded.
   */
  get prefetch(): number {
    return this.prefetchLimit(this.limit, MAX_PREFETCH);
  }

  /** What `slots` slots complete in PREFETCH_MS, at the pace of this tenant's handlers, and `most` at most. */
  prefetchLimit(slots: number, most: number): number {
    if (this.meanMs === undefined || this.meanMs >= PREFETCH_MS) return 0;
    if (this.isFull && this.stalledMs >= PREFETCH_MS) return 0;
    return Math.min(most, Math.floor((slots * PREFETCH_MS) / this.meanMs));
  }

  private get isFull(): boolean {
    return this.running >= this.limit || this.slots.running >= this.slots.limit;
  }

  get capacity(): number {
    return this.slots.capacityFor(this);
  }

  /** Takes up to `wanted` of the room, to be given back with {@link unreserve} when the claims are known. */
  reserve(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.capacity));
    this.occupy(granted);
    return granted;
  }

  /** The same without asking whether there is room, to be given back as well. */
  occupy(count: number): void {
    this.reserved += count;
    this.slots.reserved += count;
    this.slots.occupy(this, count);
  }

  /** Unused reservations are capacity again, for the tenants that wait for some. */
  unreserve(count: number): void {
    if (count === 0) return;
    this.reserved -= count;
    this.slots.reserved -= count;
    this.slots.occupy(this, -count);
    queueMicrotask(() => this.slots.notifyCapacity());
  }

  add(task: QueuedTask): void {
    this.waiting.splice(this.placeOf(task), 0, task);
    this.slots.queued++;
    this.slots.occupy(this, 1);
    this.slots.schedule(this);
    this.slots.fillSoon();
  }

  private placeOf({ priority }: QueuedTask): number {
    let place = this.waiting.length;
    for (let low = 0; low < place;) {
      const middle = (low + place) >> 1;
      const other = this.waiting[middle];
      if (other !== undefined && other.priority >= priority) low = middle + 1;
      else place = middle;
    }
    return place;
  }

  /** Takes back what has not begun. */
  removeQueued(): QueuedTask[] {
    const tasks = this.waiting.splice(0);
    this.slots.queued -= tasks.length;
    this.slots.occupy(this, -tasks.length);
    return tasks;
  }

  /** `count` more handlers were given up; negative: have returned. */
  handlerAbandoned(count: number): void {
    this.abandonedHandlers += count;
    this.slots.abandonedHandlers += count;
  }

  /** The same of all tenants. */
  get abandonedInProcess(): number {
    return this.slots.abandonedHandlers;
  }

  progressed(): void {
    this.progressedAt = this.slots.clock.now();
  }

  /** Resolves when no handler of this tenant runs. */
  async whenIdle(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  becameIdle(): void {
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private readonly idleWaiters: (() => void)[] = [];

  observe(durationMs: number): void {
    const measured = Math.max(durationMs, SHORTEST_MS);
    this.meanMs =
      this.meanMs === undefined ? measured : this.meanMs * (measured / this.meanMs) ** SMOOTHING;
  }
}
