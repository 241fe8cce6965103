import type { SlotScheduler } from './slot-scheduler.js';

/**
 * Amount of work to prefetch: as many tasks as the slots complete in this time, in milliseconds. Or in the time of some
 * round trips to the server, up to a maximum, if that is longer. On a machine that is short of processor time, statements
 * and handlers take long together. Without prefetch each claim would then take a task or two, and cost even more of it.
 */
const PREFETCH_MS = 20;
const PREFETCH_ROUND_TRIPS = 3;
const MAX_PREFETCH_MS = 500;
/** Maximum number of prefetched tasks of one tenant. */
const MAX_PREFETCH = 2_000;
/**
 * Weight of the latest handler in the mean duration. The mean is geometric, so one pause of the process hardly moves
 * it.
 */
const SMOOTHING = 0.1;
/** Weight of the latest round trip in their mean. */
const ROUND_TRIP_SMOOTHING = 0.2;
/** Minimum duration that counts for a handler, in milliseconds. */
const SHORTEST_MS = 0.01;

/** A task that waits for a slot. */
export interface QueuedTask {
  /** Higher first. */
  readonly priority: number;
  /** Runs the handler, and calls `freeSlot` once when its slot is free. */
  readonly run: (freeSlot: () => void) => void;
  /** Gives the claim back for other processes, because no slot becomes free. */
  readonly giveBack: () => void;
  /** Whether it was lost with its process more than once. Only one suspect runs at a time. */
  readonly suspect: boolean;
}

/** The slots of one tenant in this process, and the tasks that wait for one. */
export class TenantQueue {
  running = 0;
  /** Room that is reserved for statements under way, and for claims that are not queued yet. */
  reserved = 0;
  /** The part of `reserved` that claims under way may fill, or leave empty. */
  private hoped = 0;
  /** Number of this tenant's given-up handlers that have not returned. They no longer have a slot. */
  abandonedHandlers = 0;
  /** Sorted by priority, then by arrival. */
  readonly waiting: QueuedTask[] = [];
  private isOpen = true;
  private plainWaits = false;
  private limitedWaits = false;
  /** Mean duration of the handlers, in milliseconds. Undefined before the first one; then nothing is prefetched. */
  private meanMs: number | undefined;
  /** Mean duration of a claiming statement, in milliseconds. */
  private roundTripMs = 0;
  /** When a handler of this tenant last began or ended. */
  private progressedAt = 0;

  constructor(
    readonly limit: number,
    private readonly slots: SlotScheduler,
    /** Called when there is capacity while work of this tenant is known to wait in the database. */
    readonly onCapacity: () => void,
  ) {}

  /** Whether work of this tenant is known to wait in the database, apart from tasks with a limit. */
  get hasBacklog(): boolean {
    return this.plainWaits;
  }

  set hasBacklog(waits: boolean) {
    this.plainWaits = waits && this.mayWait;
    this.updateBacklog();
  }

  /** Whether tasks with a limit are known to wait for room in this process. */
  get hasLimitedBacklog(): boolean {
    return this.limitedWaits;
  }

  set hasLimitedBacklog(waits: boolean) {
    this.limitedWaits = waits && this.mayWait;
    this.updateBacklog();
  }

  /** A tenant that may claim nothing must not count among the tenants that share the capacity. */
  private get mayWait(): boolean {
    return this.isOpen && this.limit > 0;
  }

  private updateBacklog(): void {
    if (this.plainWaits || this.limitedWaits) this.slots.backlogged.add(this);
    else this.slots.backlogged.delete(this);
  }

  get open(): boolean {
    return this.isOpen;
  }

  /** Whether this tenant may claim. A closed queue has no capacity. */
  set open(open: boolean) {
    this.isOpen = open;
    if (open) return;
    this.hasBacklog = false;
    this.hasLimitedBacklog = false;
  }

  /** Number of tasks that run, are queued, or have room reserved. */
  get occupied(): number {
    return this.running + this.waiting.length + this.reserved;
  }

  /** Number of tasks that run or are queued, or that are sure to come. */
  get certain(): number {
    return this.occupied - this.hoped;
  }

  /** Time since a handler of this tenant last began or ended, in milliseconds. */
  get stalledMs(): number {
    return this.slots.clock.now() - this.progressedAt;
  }

  /** Whether a handler of this tenant has ended in this process, so that their mean duration is known. */
  get knowsDuration(): boolean {
    return this.meanMs !== undefined;
  }

  /**
   * Number of tasks that may be claimed beyond the free slots. It is 0 while handlers are long, on average or just now,
   * because this process would hoard tasks that others could run.
   */
  get prefetch(): number {
    return this.prefetchLimit(this.limit, MAX_PREFETCH);
  }

  /** Number of this tenant's tasks that `slots` slots complete in `prefetchMs`, at most `most`. */
  prefetchLimit(slots: number, most: number): number {
    const { prefetchMs } = this;
    if (this.meanMs === undefined || this.meanMs >= prefetchMs) return 0;
    if (this.isFull && this.stalledMs >= prefetchMs) return 0;
    return Math.min(most, Math.floor((slots * prefetchMs) / this.meanMs));
  }

  /** The time for which work is prefetched, in milliseconds. Handlers that take longer are long. */
  get prefetchMs(): number {
    const roundTrips = Math.min(MAX_PREFETCH_MS, this.roundTripMs * PREFETCH_ROUND_TRIPS);
    return Math.max(PREFETCH_MS, roundTrips);
  }

  /** Notes the duration of a statement that claimed tasks, or could have. */
  observeRoundTrip(durationMs: number): void {
    this.roundTripMs += (durationMs - this.roundTripMs) * ROUND_TRIP_SMOOTHING;
  }

  private get isFull(): boolean {
    return this.running >= this.limit || this.slots.running >= this.slots.limit;
  }

  get capacity(): number {
    return this.slots.capacityFor(this, false);
  }

  /** Whether there is room for a claim that is worth its statement; see {@link SlotScheduler.wantsMore}. */
  get wantsMore(): boolean {
    return this.slots.wantsMore(this);
  }

  /**
   * Whether a task that is left in the database has to wait for one of this process's handlers to end, and those are
   * long: on average, or just now.
   */
  get isStuck(): boolean {
    if (this.limit === 0 || !this.open) return true;
    if (!this.isFull) return false;
    return (this.meanMs ?? 0) >= this.prefetchMs || this.stalledMs >= this.prefetchMs;
  }

  /**
   * Reserves room for up to `wanted` tasks and returns for how many. Call {@link unreserve} when the claims are known.
   *
   * @param isHoped - for a claim, which may find fewer tasks. No other claim gets its room, but a start
   *   does not wait for it: ten claims of idle tenants would otherwise take the slots of the whole process.
   */
  reserve(wanted: number, isHoped = false): number {
    const granted = Math.max(0, Math.min(wanted, this.slots.capacityFor(this, isHoped)));
    if (isHoped) this.hope(granted);
    else this.occupy(granted);
    return granted;
  }

  /** Reserves room whether or not there is any. Call {@link unreserve} afterwards. */
  occupy(count: number): void {
    this.reserved += count;
    this.slots.reserved += count;
    this.slots.occupy(this, count);
  }

  private hope(count: number): void {
    this.hoped += count;
    this.reserved += count;
    this.slots.reserved += count;
    this.slots.hope(this, count);
  }

  /** Ends a reservation. Its unused room is capacity again, also for other tenants. */
  unreserve(count: number, isHoped = false): void {
    if (count === 0) return;
    if (isHoped) this.hope(-count);
    else this.occupy(-count);
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

  /** Removes all queued tasks and returns them. */
  removeQueued(): QueuedTask[] {
    const tasks = this.waiting.splice(0);
    this.slots.queued -= tasks.length;
    this.slots.occupy(this, -tasks.length);
    return tasks;
  }

  /** Counts handlers that were given up, or, with a negative `count`, given-up handlers that have returned. */
  handlerAbandoned(count: number): void {
    this.abandonedHandlers += count;
    this.slots.abandonedHandlers += count;
  }

  /** Number of given-up handlers of all tenants that have not returned. */
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
