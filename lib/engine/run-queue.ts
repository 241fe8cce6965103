import { Lane, type Job } from './lane.js';

/**
 * Handlers begin one after the other for so long at most, in milliseconds; then whoever waits for the event loop has a
 * turn. A thousand handlers that do nothing would hold it up for longer than a neighbour's whole execution takes.
 */
const BURST_MS = 2;
/** A queue that has not moved for so long is given back, in milliseconds: other processes may have room. */
const STALL_MS = 100;
/**
 * Tasks of all tenants together to prefetch at most. Ten times what one tenant may: with a hundred of them at work each
 * still has batches that are worth a commit, and its starts find room to take their first tasks at once.
 */
const MAX_PREFETCH_OF_ALL = 20_000;

/**
 * Fair slots: a limit for the process, one for each tenant, and the free slots go round the tenants that have work.
 */
export class RunQueue {
  running = 0;
  queued = 0;
  reserved = 0;
  /** Handlers that were given up and have not returned. */
  givenUp = 0;
  /** Slots that are spoken for: of what a tenant has in hand, no more than it may run at once. */
  private occupied = 0;
  /** When the handlers of this turn of the event loop began to begin. */
  private burstSince: number | undefined;
  private readonly lanes = new Set<Lane>();
  /**
   * The tenants that can begin a task now, the next one first. Of thousands only these are looked at: who has nothing
   * to do or is full costs nothing.
   */
  private readonly inTurn = new Set<Lane>();
  /** Those whose tasks are all suspects, while one runs. */
  private readonly behindSuspect = new Set<Lane>();
  private suspectRunning = false;
  private filling = false;
  private fillPlanned = false;
  private watching = false;
  /** The tenants that are known to have work waiting in the database: few, even of thousands. */
  readonly backlogged = new Set<Lane>();

  constructor(readonly limit: number) {}

  lane(limit: number, onRoom: () => void): Lane {
    const lane = new Lane(limit, this, onRoom);
    this.lanes.add(lane);
    return lane;
  }

  removeLane(lane: Lane): void {
    for (const lanes of [this.lanes, this.inTurn, this.behindSuspect, this.backlogged]) {
      lanes.delete(lane);
    }
  }

  roomOf(lane: Lane): number {
    if (!lane.open || lane.limit === 0 || this.limit === 0) return 0;
    const own = lane.limit + lane.prefetch - lane.inHand;
    // Others are known to wait: nobody takes more than a share of what is left. And each may have its share of the
    // whole, whatever the others have prefetched before it came.
    const parts = this.backlogged.size + (lane.backlog ? 0 : 1);
    const prefetch = lane.ahead(this.limit, MAX_PREFETCH_OF_ALL);
    const all = this.limit + prefetch - this.running - this.queued - this.reserved;
    // Full, and of handlers that take their time: what is claimed now would wait for them.
    const isFull = this.occupied >= this.limit && all <= 0;
    if (own <= 0 || (isFull && this.queued === 0)) return 0;
    const share = Math.ceil((this.limit + prefetch) / parts) - lane.inHand;
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
    while (this.running < this.limit && this.inTurn.size > 0 && this.mayGoOn()) {
      const found = this.nextJob();
      if (found === undefined) break;
      this.begin(...found);
    }
    this.filling = false;
  }

  /** Not for longer than a burst: the rest begins when the event loop has been round. */
  private mayGoOn(): boolean {
    const now = performance.now();
    if (this.burstSince === undefined) {
      this.burstSince = now;
      setImmediate(() => {
        this.burstSince = undefined;
        this.fill();
      });
    }
    return now - this.burstSince < BURST_MS;
  }

  /** A tenant has so many tasks more in hand, or fewer. */
  taken(lane: Lane, count: number): void {
    const { inHand, limit } = lane;
    this.occupied += Math.min(limit, inHand) - Math.min(limit, inHand - count);
  }

  /** Its turn comes when it can begin something. */
  line(lane: Lane): void {
    if (lane.queue.length > 0 && lane.running < lane.limit) this.inTurn.add(lane);
  }

  private nextJob(): [Lane, Job] | undefined {
    for (const lane of this.inTurn) {
      this.inTurn.delete(lane);
      if (lane.running >= lane.limit) continue;
      const at = lane.queue.findIndex((job) => !(job.suspect && this.suspectRunning));
      const job = lane.queue[at];
      if (job === undefined) {
        if (lane.queue.length > 0) this.behindSuspect.add(lane);
        continue;
      }
      if (at === 0) lane.queue.shift();
      else lane.queue.splice(at, 1);
      return [lane, job];
    }
    return undefined;
  }

  private begin(lane: Lane, job: Job): void {
    this.queued--;
    this.running++;
    lane.running++;
    if (job.suspect) this.suspectRunning = true;
    this.line(lane);
    lane.moved();
    const begun = performance.now();
    const ended = (): void => {
      lane.moved();
      lane.observe(performance.now() - begun);
      this.running--;
      lane.running--;
      this.taken(lane, -1);
      if (job.suspect) this.suspectEnded();
      this.line(lane);
      this.fill();
      this.offerRoom();
      if (lane.running === 0) lane.becomeIdle();
    };
    job.run(ended);
  }

  private suspectEnded(): void {
    this.suspectRunning = false;
    for (const lane of this.behindSuspect) this.line(lane);
    this.behindSuspect.clear();
  }

  /** Looks after queues for as long as there are any. */
  watch(): void {
    if (this.watching) return;
    this.watching = true;
    const due = performance.now() + STALL_MS;
    setTimeout(() => {
      this.watching = false;
      // Late: it is this process that was busy, not the handlers that are long.
      if (performance.now() - due < STALL_MS / 2) this.giveBackStalled();
      if (this.queued > 0) this.watch();
    }, STALL_MS).unref();
  }

  /** What was prefetched while handlers were short, and lies behind long ones now. */
  private giveBackStalled(): void {
    for (const lane of this.lanes) {
      if (lane.queue.length === 0 || lane.stillMs < STALL_MS) continue;
      for (const job of lane.removeQueued()) job.giveBack();
    }
  }

  /** What waits longest is asked first: who takes its chance goes to the end. */
  offerRoom(): void {
    for (const lane of this.backlogged) {
      if (this.roomOf(lane) === 0) continue;
      this.backlogged.delete(lane);
      this.backlogged.add(lane);
      lane.onRoom();
      return;
    }
  }
}
