/** How much work may lie ready beside the running handlers: what they get through in so many milliseconds. */
const PREFETCH_MS = 20;
/** Tasks to prefetch at most, however short the handlers are. */
const MAX_PREFETCH = 2_000;
/** Weight of the newest handler in the geometric mean of their durations, which no pause of the process turns. */
const SMOOTHING = 0.1;
/** What a handler counts for at least, in milliseconds. */
const SHORTEST_MS = 0.01;
/**
 * Handlers begin one after the other for so long at most, in milliseconds; then whoever waits for the event loop has a
 * turn. A thousand handlers that do nothing would hold it up for longer than a neighbour's whole execution takes.
 */
const BURST_MS = 2;
/** A queue that has not moved for so long is given back, in milliseconds: other processes may have room. */
const STALL_MS = 100;

export interface Job {
  /** Higher first. */
  readonly priority: number;
  /** Runs the handler; resolves when its slot is free. */
  readonly run: () => Promise<void>;
  /** Leaves it to others: it waits for a slot and none comes free. */
  readonly giveBack: () => void;
  /** It has been lost with its process more than once: it runs beside no other suspect. */
  readonly suspect: boolean;
}

/** The slots of one tenant in this process, and what waits for one. */
export class Lane {
  running = 0;
  /** Room that was promised: to statements under way, and to claims that are not in line yet. */
  reserved = 0;
  /** By priority, then first come. */
  readonly queue: Job[] = [];
  private isOpen = true;
  /** Mean duration of the handlers, in milliseconds; before the first one nothing is prefetched. */
  private meanMs: number | undefined;
  /** When a handler of this tenant last began or ended. */
  private movedAt = 0;

  constructor(
    readonly limit: number,
    private readonly slots: RunQueue,
    /** Called when a slot came free while work of this tenant is known to wait. */
    readonly onRoom: () => void,
  ) {}

  /** Whether work of this tenant is known to wait in the database. */
  get backlog(): boolean {
    return this.slots.backlogged.has(this);
  }

  set backlog(waits: boolean) {
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
    if (!open) this.backlog = false;
  }

  /** Tasks that it runs, or will run without asking for more room. */
  get inHand(): number {
    return this.running + this.queue.length + this.reserved;
  }

  /** How long no handler of this tenant has begun or ended, in milliseconds. */
  get stillMs(): number {
    return performance.now() - this.movedAt;
  }

  /**
   * Tasks that may be claimed beyond the free slots. None while handlers are long, be it on the whole or just now:
   * they would be hoarded.
   */
  get prefetch(): number {
    if (this.meanMs === undefined || this.meanMs >= PREFETCH_MS) return 0;
    if (this.isFull && this.stillMs >= PREFETCH_MS) return 0;
    return Math.min(MAX_PREFETCH, Math.floor((this.limit * PREFETCH_MS) / this.meanMs));
  }

  private get isFull(): boolean {
    return this.running >= this.limit || this.slots.running >= this.slots.limit;
  }

  get room(): number {
    return this.slots.roomOf(this);
  }

  /** Takes up to `wanted` of the room, to be given back with {@link unreserve} when the claims are known. */
  reserve(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.room));
    this.hold(granted);
    return granted;
  }

  /** The same without asking whether there is room, to be given back as well. */
  hold(count: number): void {
    this.reserved += count;
    this.slots.reserved += count;
    this.slots.taken(this, count);
  }

  /** What was promised and not used is room again, for whoever waits for some. */
  unreserve(count: number): void {
    if (count === 0) return;
    this.reserved -= count;
    this.slots.reserved -= count;
    this.slots.taken(this, -count);
    queueMicrotask(() => this.slots.offerRoom());
  }

  add(job: Job): void {
    this.queue.splice(this.placeOf(job), 0, job);
    this.slots.queued++;
    this.slots.taken(this, 1);
    this.slots.line(this);
    this.slots.fillSoon();
  }

  private placeOf({ priority }: Job): number {
    let place = this.queue.length;
    for (let low = 0; low < place;) {
      const middle = (low + place) >> 1;
      const other = this.queue[middle];
      if (other !== undefined && other.priority >= priority) low = middle + 1;
      else place = middle;
    }
    return place;
  }

  /** Takes back what has not begun. */
  removeQueued(): Job[] {
    const jobs = this.queue.splice(0);
    this.slots.queued -= jobs.length;
    this.slots.taken(this, -jobs.length);
    return jobs;
  }

  moved(): void {
    this.movedAt = performance.now();
  }

  /** Resolves when no handler of this tenant runs. */
  async idle(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  becomeIdle(): void {
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private readonly whenIdle: (() => void)[] = [];

  observe(durationMs: number): void {
    const measured = Math.max(durationMs, SHORTEST_MS);
    this.meanMs =
      this.meanMs === undefined ? measured : this.meanMs * (measured / this.meanMs) ** SMOOTHING;
  }
}

/**
 * Fair slots: a limit for the process, one for each tenant, and the free slots go round the tenants that have work.
 */
export class RunQueue {
  running = 0;
  queued = 0;
  reserved = 0;
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
    const { prefetch } = lane;
    const own = lane.limit + prefetch - lane.inHand;
    const all = this.limit + prefetch - this.running - this.queued - this.reserved;
    // Full, and of handlers that take their time: what is claimed now would wait for them.
    const isFull = this.occupied >= this.limit && all <= 0;
    if (own <= 0 || (isFull && this.queued === 0)) return 0;
    // Others are known to wait: nobody takes more than a share of what is left. And each may have its share of the
    // whole, whatever the others have prefetched before it came.
    const parts = this.backlogged.size + (lane.backlog ? 0 : 1);
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
    job.run().then(ended, ended);
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
