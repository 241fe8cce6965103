import { TenantQueue, type QueuedTask } from './tenant-queue.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Maximum time in which handlers begin without a pause, in milliseconds. Then the event loop does its other work. A
 * thousand trivial handlers would block it for longer than another tenant's whole execution takes.
 */
const BURST_MS = 2;
/**
 * Minimum time without progress after which queued tasks are given back, in milliseconds. Other processes may have
 * capacity. Twice the time of the prefetch, if that is longer.
 */
const STALL_MS = 100;
/**
 * Maximum number of prefetched tasks of all tenants together: ten times the limit of one tenant. So each of a hundred
 * busy tenants still has batches that are worth a commit, and room for its starts to claim root tasks.
 */
const MAX_PREFETCH_OF_ALL = 20_000;
/**
 * Maximum number of free places for which a claim waits. A claim of tasks without a limit takes no more than this, so waiting
 * longer makes no statement larger. One of tasks with a limit does not wait for more either: this is enough for its cost.
 */
const LARGE_CLAIM = 500;
/** With more backlogged tenants than this, they are looked at once in `LOOK_MS`, not after each handler. */
const FEW_BACKLOGS = 8;
/** Minimum time between two looks at many backlogged tenants, in milliseconds. */
const LOOK_MS = 1;

/**
 * Gives slots to the tenants fairly. There is a limit for the process and one for each tenant, and the tenants that
 * have work get the free slots in turn.
 */
export class SlotScheduler {
  running = 0;
  queued = 0;
  reserved = 0;
  /** Number of given-up handlers that have not returned. */
  abandonedHandlers = 0;
  /** Number of slots that the occupied tasks of all tenants need, at most `limit` for each tenant. */
  private occupiedSlots = 0;
  /** The same, without the room that claims under way only hope to fill. */
  private certainSlots = 0;
  /** When the first handler of this turn of the event loop began. */
  private burstSince: number | undefined;
  /** Number of the turn of the event loop, as far as handlers began in it. */
  private turn = 0;
  /** When the latest handler ended. */
  private endedAt = -Infinity;
  private readonly queues = new Set<TenantQueue>();
  /**
   * The tenants that can begin a task now, in the order of their turns. Only these are looked at, so tenants that are
   * idle or full cost nothing.
   */
  private readonly runnable = new Set<TenantQueue>();
  /** Tenants whose queued tasks are all suspects, while a suspect runs. */
  private readonly behindSuspect = new Set<TenantQueue>();
  private suspectRunning = false;
  /** When the backlogged tenants were last looked at, and whether the next look has a timer. */
  private lookedAt = -Infinity;
  private lookPlanned = false;
  private filling = false;
  private fillPlanned = false;
  private watching = false;
  /** The tenants that are known to have work waiting in the database. */
  readonly backlogged = new Set<TenantQueue>();

  constructor(
    readonly limit: number,
    readonly clock: Clock,
  ) {}

  createQueue(limit: number, onCapacity: () => void): TenantQueue {
    const queue = new TenantQueue(limit, this, onCapacity);
    this.queues.add(queue);
    return queue;
  }

  removeQueue(queue: TenantQueue): void {
    for (const queues of [this.queues, this.runnable, this.behindSuspect, this.backlogged]) {
      queues.delete(queue);
    }
  }

  /**
   * Number of tasks that the tenant may claim now.
   *
   * @param isHoped - for a claim, which may find fewer: all claims under way together hope for no more slots than there are
   */
  capacityFor(queue: TenantQueue, isHoped: boolean): number {
    if (!queue.open || queue.limit === 0 || this.limit === 0) return 0;
    const own = queue.limit + queue.prefetch - queue.occupied;
    // While several tenants have a backlog, each may take one share of the remaining capacity. Each may also fill its
    // share of the whole, even if others prefetched more before it came.
    const parts = this.backlogged.size + (this.backlogged.has(queue) ? 0 : 1);
    const prefetch = queue.prefetchLimit(this.limit, MAX_PREFETCH_OF_ALL);
    const all = this.limit + prefetch - this.running - this.queued - this.reserved;
    // All slots are taken by long handlers (nothing is queued): a task claimed now would have to wait for them.
    const slots = isHoped ? this.occupiedSlots : this.certainSlots;
    const isFull = slots >= this.limit && all <= 0;
    if (own <= 0 || (isFull && this.queued === 0)) return 0;
    const share = Math.ceil((this.limit + prefetch) / parts) - queue.occupied;
    return Math.min(own, Math.max(0, share, Math.ceil(all / parts)));
  }

  /**
   * Whether the tenant has room for a claim that is worth its statement: half of its prefetch. The other half keeps the
   * slots busy until the claimed tasks arrive. Without prefetch a single free slot is enough.
   *
   * Nothing waits forever behind this limit. What takes the room is a handler, a statement under way, or a task that
   * waits for a slot; the end of each of them calls `notifyCapacity`. Suspects wait for each other although slots are
   * free, so behind one the tenant claims whatever there is room for.
   */
  wantsMore(queue: TenantQueue): boolean {
    const capacity = this.capacityFor(queue, true);
    if (capacity === 0) return false;
    const prefetch = queue.occupied + capacity - queue.limit;
    return this.behindSuspect.has(queue) || capacity >= Math.min(LARGE_CLAIM, prefetch / 2);
  }

  /** Fills in a microtask, so that tasks added in the same turn begin by priority, not by arrival. */
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

  /** False at the end of a burst. The remaining tasks begin in the next turn of the event loop. */
  private mayGoOn(): boolean {
    const now = this.clock.now();
    if (this.burstSince === undefined) {
      this.burstSince = now;
      this.clock.immediate(() => {
        this.burstSince = undefined;
        this.turn++;
        this.fill();
      });
    }
    return now - this.burstSince < BURST_MS;
  }

  /** A tenant occupies `count` more slots, or fewer if it is negative. */
  occupy(queue: TenantQueue, count: number): void {
    const { certain, limit } = queue;
    this.certainSlots += Math.min(limit, certain) - Math.min(limit, certain - count);
    this.hope(queue, count);
  }

  /** The same for room of a claim under way. */
  hope(queue: TenantQueue, count: number): void {
    const { occupied, limit } = queue;
    this.occupiedSlots += Math.min(limit, occupied) - Math.min(limit, occupied - count);
  }

  /** Puts the tenant in line for a slot if it can begin a task. */
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
    const { turn } = this;
    const ended = (): void => {
      queue.progressed();
      queue.observe(this.durationOf(begun, turn));
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

  /**
   * Duration of a handler that has just ended, in milliseconds.
   *
   * A handler that ends in the turn of the event loop in which it began has waited for nothing, but other microtasks ran
   * beside it: other handlers, and the library's own work for large batches. The time since the previous handler's end
   * is its part of the turn. It counts once for each running handler, because they take turns. Without this, handlers
   * that do nothing would seem to take milliseconds in a busy process, and claims would become small when they should be
   * large.
   */
  private durationOf(begun: number, turn: number): number {
    const now = this.clock.now();
    const wholeMs = now - begun;
    const partMs = (now - this.endedAt) * this.running;
    this.endedAt = now;
    return turn === this.turn ? Math.min(wholeMs, partMs) : wholeMs;
  }

  private suspectEnded(): void {
    this.suspectRunning = false;
    for (const queue of this.behindSuspect) this.schedule(queue);
    this.behindSuspect.clear();
  }

  /** Watches for stalled queues while any task is queued. */
  watch(): void {
    if (this.watching) return;
    this.watching = true;
    const due = this.clock.now() + STALL_MS;
    this.clock.timer(() => {
      this.watching = false;
      // A late timer means that this process was busy, not that the handlers are long.
      if (this.clock.now() - due < STALL_MS / 2) this.giveBackStalled();
      if (this.queued > 0) this.watch();
    }, STALL_MS);
  }

  /** Gives back tasks that were prefetched while handlers were short, and wait for long ones now. */
  private giveBackStalled(): void {
    for (const queue of this.queues) {
      if (
        queue.waiting.length === 0 ||
        queue.stalledMs < Math.max(STALL_MS, queue.prefetchMs * 2)
      ) {
        continue;
      }
      for (const task of queue.removeQueued()) task.giveBack();
    }
  }

  /** Tells the tenant that has waited longest that it may claim, and puts it at the end of the line. */
  notifyCapacity(): void {
    if (this.lookPlanned || this.backlogged.size === 0) return;
    const wait = this.lookedAt + LOOK_MS - this.clock.now();
    if (this.backlogged.size <= FEW_BACKLOGS || wait <= 0) {
      this.lookAtBacklogs();
      return;
    }
    this.lookPlanned = true;
    this.clock.timer(() => {
      this.lookPlanned = false;
      this.lookAtBacklogs();
    }, wait);
  }

  private lookAtBacklogs(): void {
    this.lookedAt = this.clock.now();
    for (const queue of this.backlogged) {
      if (!this.wantsMore(queue)) continue;
      this.backlogged.delete(queue);
      this.backlogged.add(queue);
      queue.onCapacity();
      return;
    }
  }
}
