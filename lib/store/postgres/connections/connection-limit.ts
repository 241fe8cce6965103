import { AsyncLocalStorage } from 'node:async_hooks';
import { ConnectionsExhaustedError } from '../../../errors/index.js';
import { ConnectionWaitReport } from './connection-wait-report.js';

/** After several tenants had connections, one alone doesn't get all of them, for this time in milliseconds. */
const SHARED_MS = 5_000;
/** How long a transaction waits for a second connection at most, in milliseconds. It holds its locks for that time. */
const MAX_SECOND_WAIT_MS = 10_000;

/** How long a request waits before the log tells who has the connections, in milliseconds. */
const REPORT_AFTER_MS = 5_000;

/** A connection that user code has. */
export interface Place {
  readonly tenant: string;
  /** Requests for another connection by the code that has this one. */
  waitsFor: number;
  isOver: boolean;
}

interface Waiting {
  readonly begin: () => void;
}

/** A request by code that has no connection yet. */
interface FirstRequest extends Waiting {
  readonly since: number;
}

/** A request by code that has a connection. */
interface SecondRequest extends Waiting {
  readonly within: Place;
  readonly timer: NodeJS.Timeout;
}

/** Of code that runs in a transaction, the connection of that. */
const current = new AsyncLocalStorage<Place | undefined>();

/** Runs `work`, which has the connection and gives it back when it is done. */
export function runWithin<T>(place: Place | undefined, work: () => T): T {
  return place === undefined ? work() : current.run(place, work);
}

/** Runs `work` as what has no connection, though it was begun by code that has one. */
export function runOutside<T>(work: () => T): T {
  return current.run(undefined, work);
}

/**
 * The connections of a pool that user code may have, lent to the tenants in turn: one that has work without end waits
 * for its own, and not the others for it. While several are at work, each has half of them at most.
 *
 * Code that has a connection and asks for another one goes before the others, because it holds up who waits for its
 * first one. Where all connections are had by such code there is no end to that: the request is refused.
 */
export class ConnectionLimit {
  private readonly places = new Set<Place>();
  /** Those who wait, the next tenant first. */
  private readonly waiting = new Map<string, FirstRequest[]>();
  private readonly second = new Set<SecondRequest>();
  private latest: string | undefined;
  private changedAt = -Infinity;
  private shareTimer: NodeJS.Timeout | undefined;
  private readonly waitReport: ConnectionWaitReport;

  /** @param max - asked each time: a pool may grow */
  constructor(
    private readonly max: () => number,
    private readonly maxSecondWaitMs = MAX_SECOND_WAIT_MS,
    reportAfterMs = REPORT_AFTER_MS,
  ) {
    this.waitReport = new ConnectionWaitReport({
      longest: () => this.longestWait(),
      holders: () => [...this.places].map(({ tenant }) => tenant),
      afterMs: reportAfterMs,
    });
  }

  /**
   * Calls `holder` when there is room: at once if there is some now. It gets its place, and the function that gives the
   * room back; calling that twice does nothing.
   *
   * @param refuse - called instead where code that has a connection can't have another one
   */
  enter(
    tenant: string,
    holder: (leave: () => void, place: Place) => void,
    refuse: (error: ConnectionsExhaustedError) => void,
  ): void {
    this.note(tenant);
    const begin = (): void => this.begin(tenant, holder);
    const within = current.getStore();
    if (within !== undefined && !within.isOver && this.places.has(within)) {
      this.enterSecond({ begin, within }, refuse);
    } else if (this.mayTake(tenant) && !this.waiting.has(tenant)) {
      begin();
    } else {
      const queue = this.waiting.get(tenant);
      const request = { begin, since: performance.now() };
      if (queue === undefined) this.waiting.set(tenant, [request]);
      else queue.push(request);
      if (this.isRoom()) this.serve();
      this.waitReport.watch();
    }
  }

  private begin(tenant: string, holder: (leave: () => void, place: Place) => void): void {
    const place: Place = { tenant, waitsFor: 0, isOver: false };
    this.places.add(place);
    holder(() => {
      if (place.isOver) return;
      place.isOver = true;
      this.places.delete(place);
      this.serve();
    }, place);
  }

  private enterSecond(
    { begin, within }: Waiting & { readonly within: Place },
    refuse: (error: ConnectionsExhaustedError) => void,
  ): void {
    if (this.isRoom()) {
      begin();
      return;
    }
    within.waitsFor++;
    const refuseNow = (waitedMs: number): void => {
      within.waitsFor--;
      refuse(
        new ConnectionsExhaustedError({
          schema: within.tenant,
          connections: this.places.size,
          waitedMs,
        }),
      );
    };
    if ([...this.places].every(({ waitsFor }) => waitsFor > 0)) {
      refuseNow(0);
      return;
    }
    const timer = setTimeout(() => {
      this.second.delete(request);
      refuseNow(this.maxSecondWaitMs);
    }, this.maxSecondWaitMs);
    const request: SecondRequest = { begin, within, timer };
    this.second.add(request);
  }

  private longestWait(): { readonly tenant: string; readonly since: number } | undefined {
    let longest: { readonly tenant: string; readonly since: number } | undefined;
    for (const [tenant, [first]] of this.waiting) {
      if (first === undefined || (longest !== undefined && longest.since <= first.since)) continue;
      longest = { tenant, since: first.since };
    }
    return longest;
  }

  private note(tenant: string): void {
    if (tenant === this.latest) return;
    if (this.latest !== undefined) this.changedAt = performance.now();
    this.latest = tenant;
  }

  private isRoom(): boolean {
    return this.places.size < this.max();
  }

  private mayTake(tenant: string): boolean {
    if (!this.isRoom()) return false;
    if (performance.now() - this.changedAt >= SHARED_MS) return true;
    let held = 0;
    for (const place of this.places) if (place.tenant === tenant) held++;
    return held < Math.ceil(this.max() / 2);
  }

  /** Those who ask for a second one first; then one to each tenant in turn, as long as there are any. */
  private serve(): void {
    for (const request of this.second) {
      if (!this.isRoom()) return;
      this.second.delete(request);
      clearTimeout(request.timer);
      request.within.waitsFor--;
      request.begin();
    }
    for (let served = true; served;) {
      served = false;
      for (const [tenant, queue] of this.waiting) {
        if (!this.mayTake(tenant)) continue;
        const first = queue.shift();
        this.waiting.delete(tenant);
        if (queue.length > 0) this.waiting.set(tenant, queue);
        first?.begin();
        served = true;
        break;
      }
    }
    if (this.waiting.size > 0 && this.isRoom()) this.lookLater();
  }

  /** A tenant that waits for the sake of others gets all when it has been alone. */
  private lookLater(): void {
    this.shareTimer ??= setTimeout(() => {
      this.shareTimer = undefined;
      this.serve();
    }, SHARED_MS).unref();
  }
}
