import { AsyncLocalStorage } from 'node:async_hooks';
import { ConnectionsExhaustedError } from '../../../errors/index.js';
import { ConnectionWaitReport } from './connection-wait-report.js';

/** How long after several tenants used connections one tenant may not take all of them, in milliseconds. */
const SHARED_MS = 5_000;
/** How long a transaction waits for a second connection, in milliseconds. It keeps its locks while it waits. */
const MAX_SECOND_WAIT_MS = 10_000;

/** How long a request waits before the log names the tenants that have connections, in milliseconds. */
const REPORT_AFTER_MS = 5_000;

/** A connection in use by user code. */
export interface Place {
  readonly tenant: string;
  /** Number of waiting requests by code that uses this connection. */
  waitsFor: number;
  isOver: boolean;
}

interface Waiting {
  readonly begin: () => void;
}

/** A waiting request of code that has no connection. */
interface FirstRequest extends Waiting {
  readonly since: number;
}

/** A waiting request of code that has a connection already. */
interface SecondRequest extends Waiting {
  readonly within: Place;
  readonly timer: NodeJS.Timeout;
}

/** The connection of the transaction that the current code runs in. */
const current = new AsyncLocalStorage<Place | undefined>();

/** Runs `work` as code that uses the connection, which it returns at its end. */
export function runWithin<T>(place: Place | undefined, work: () => T): T {
  return place === undefined ? work() : current.run(place, work);
}

/** Runs `work` as code without a connection, although code with a connection called it. */
export function runOutside<T>(work: () => T): T {
  return current.run(undefined, work);
}

/**
 * Limits the connections of a pool that user code uses, and distributes them to tenants in turn. While several tenants are
 * active, each gets at most half of the connections, so a tenant with endless work does not delay the others.
 *
 * Code that has a connection and requests a second one goes first, because others wait for its first one. If all
 * connections are used by code that waits for a second one, waiting would never end, so the request is rejected.
 */
export class ConnectionLimit {
  private readonly places = new Set<Place>();
  /** Waiting first requests by tenant; the next tenant to serve comes first. */
  private readonly waiting = new Map<string, FirstRequest[]>();
  private readonly second = new Set<SecondRequest>();
  private latest: string | undefined;
  private changedAt = -Infinity;
  private shareTimer: NodeJS.Timeout | undefined;
  private readonly waitReport: ConnectionWaitReport;

  /** @param max - called each time, because a pool may grow */
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
   * Calls `holder` as soon as a connection is available, possibly at once. It gets the function that returns the
   * connection, which has no effect when called again, and the place.
   *
   * @param refuse - called instead if code with a connection can't get a second one
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

  /** Serves second requests first, then the waiting tenants in turn. */
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

  /** Serves again later: a tenant alone gets all connections once it has been alone for some time. */
  private lookLater(): void {
    this.shareTimer ??= setTimeout(() => {
      this.shareTimer = undefined;
      this.serve();
    }, SHARED_MS).unref();
  }
}
