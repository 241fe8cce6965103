import { TenantQueue, type QueuedTask } from './tenant-queue.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * How long handlers begin one after the other, in milliseconds; then whatever waits for the event loop has a
 * turn. A thousand handlers that do nothing would hold it up for longer than a neighbor's whole execution takes.
 */
const BURST_MS = 2;
/** How long a queue stands still before it is given back, in milliseconds: other processes may have capacity. */
const STALL_MS = 100;
/**
 * Tasks of all tenants together to prefetch at most. Ten times what one tenant may: with a hundred of them at work each
 * still has batches that are worth a commit, and its starts find room to take their first tasks at once.
 */
const MAX_PREFETCH_OF_ALL = 20_000;

/**
 * Fair slots: a limit for the process, one for each tenant, and the free slots go round the tenants that have work.
 */
export class SlotScheduler {
  running = 0;
  queued = 0;
  reserved = 0;
  /** Handlers that were given up and have not returned. */
  abandonedHandlers = 0;
  /** Slots that are spoken for: of what a tenant has in hand, no more than it may run at once. */
  private occupiedSlots = 0;
  /** When the handlers of this turn of the event loop began to begin. */
  private burstSince: number | undefined;
  private readonly queues = new Set<TenantQueue>();
  /**
   * The tenants that can begin a task now, the next one first. Of thousands only these are looked at: who has nothing
   * to do or is full costs nothing.
   */
  private readonly runnable = new Set<TenantQueue>();
  /** Those whose tasks are all suspects, while one runs. */
  private readonly behindSuspect = new Set<TenantQueue>();
  private suspectRunning = false;
  private filling = false;
  private fillPlanned = false;
  private watching = false;
  /** The tenants that are known to have work waiting in the database: few, even of thousands. */
  readonly backlogged = new Set<TenantQueue>();

  constructor(
    readonly limit: number,
    readonly clock: Clock,
  ) {}

  createQueue(limit: number, onRoom: () => void): TenantQueue {
    const queue = new TenantQueue(limit, this, onRoom);
    this.queues.add(queue);
    return queue;
  }

  removeQueue(queue: TenantQueue): void {
    for (const queues of [this.queues, this.runnable, this.behindSuspect, this.backlogged]) {
      queues.delete(queue);
    }
  }

  capacityFor(queue: TenantQueue): number {
    if (!queue.open || queue.limit === 0 || this.limit === 0) return 0;
    const own = queue.limit + queue.prefetch - queue.occupied;
    // Other tenants are known to wait: none takes more than a share of what is left. And each may have its share of the
    // whole, whatever the others have prefetched before it came.
    const parts = this.backlogged.size + (queue.hasBacklog ? 0 : 1);
    const prefetch = queue.prefetchLimit(this.limit, MAX_PREFETCH_OF_ALL);
    const all = this.limit + prefetch - this.running - this.queued - this.reserved;
    // Full, and of handlers that take their time: what is claimed now would wait for them.
    const isFull = this.occupiedSlots >= this.limit && all <= 0;
    if (own <= 0 || (isFull && this.queued === 0)) return 0;
    const share = Math.ceil((this.limit + prefetch) / parts) - queue.occupied;
    return Math.min(own, Math.max(0, share, Math.ceil(all / parts)));
  }

  /** What is added in one turn is looked at together, so that the first in line is first, not the first to come. */
  fillSoon(): void {
    if (this.fillPlanned) return;
    this.fillPlanned = true;
    queueMicrotask(() => {
      this.fillPlanned = false;
      this.fill();
      if (this.queued > 0) this.watch();
    });
  }

  /** Gives free slots to the tenants in turn. */
  private fill(): void {
    if (this.filling) return;
    this.filling = true;
    while (this.running < this.limit && this.runnable.size > 0 && this.mayGoOn()) {
      const found = this.nextTask();
      if (found === undefined) break;
      this.begin(...found);
    }
    this.filling = false;
  }

  /** Not for longer than a burst: the rest begins when the event loop has been round. */
  private mayGoOn(): boolean {
    const now = this.clock.now();
    if (this.burstSince === undefined) {
      this.burstSince = now;
      this.clock.immediate(() => {
        this.burstSince = undefined;
        this.fill();
      });
    }
    return now - this.burstSince < BURST_MS;
  }

  /** A tenant occupies `count` more slots, or fewer if it is negative. */
  occupy(queue: TenantQueue, count: number): void {
    const { occupied, limit } = queue;
    this.occupiedSlots += Math.min(limit, occupied) - Math.min(limit, occupied - count);
  }

  /** Its turn comes when it can begin something. */
  schedule(queue: TenantQueue): void {
    if (queue.waiting.length > 0 && queue.running < queue.limit) this.runnable.add(queue);
  }

  private nextTask(): [TenantQueue, QueuedTask] | undefined {
    for (const queue of this.runnable) {
      this.runnable.delete(queue);
      if (queue.running >= queue.limit) continue;
      const at = queue.waiting.findIndex((task) => !(task.suspect && this.suspectRunning));
      const task = queue.waiting[at];
      if (task === undefined) {
        if (queue.waiting.length > 0) this.behindSuspect.add(queue);
        continue;
      }
      if (at === 0) queue.waiting.shift();
      else queue.waiting.splice(at, 1);
      return [queue, task];
    }
    return undefined;
  }

  private begin(queue: TenantQueue, task: QueuedTask): void {
    this.queued--;
    this.running++;
    queue.running++;
    if (task.suspect) this.suspectRunning = true;
    this.schedule(queue);
    queue.progressed();
    const begun = this.clock.now();
    const ended = (): void => {
      queue.progressed();
      queue.observe(this.clock.now() - begun);
      this.running--;
      queue.running--;
      this.occupy(queue, -1);
      if (task.suspect) this.suspectEnded();
      this.schedule(queue);
      this.fill();
      this.notifyCapacity();
      if (queue.running === 0) queue.becameIdle();
    };
    task.run(ended);
  }

  private suspectEnded(): void {
    this.suspectRunning = false;
    for (const queue of this.behindSuspect) this.schedule(queue);
    this.behindSuspect.clear();
  }

  /** Looks after queues for as long as there are any. */
  watch(): void {
    if (this.watching) return;
    this.watching = true;
    const due = this.clock.now() + STALL_MS;
    this.clock.timer(() => {
      this.watching = false;
      // Late: it is this process that was busy, not the handlers that are long.
      if (this.clock.now() - due < STALL_MS / 2) this.giveBackStalled();
      if (this.queued > 0) this.watch();
    }, STALL_MS);
  }

  /** What was prefetched while handlers were short, and lies behind long ones now. */
  private giveBackStalled(): void {
    for (const queue of this.queues) {
      if (queue.waiting.length === 0 || queue.stalledMs < STALL_MS) continue;
      for (const task of queue.removeQueued()) task.giveBack();
    }
  }

  /** What waits longest is asked first: who takes its chance goes to the end. */
  notifyCapacity(): void {
    for (const queue of this.backlogged) {
      if (this.capacityFor(queue) === 0) continue;
      this.backlogged.delete(queue);
      this.backlogged.add(queue);
      queue.onCapacity();
      return;
    }
  }
}
