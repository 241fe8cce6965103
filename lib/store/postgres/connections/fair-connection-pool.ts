import type pg from 'pg';
import { isAway, leavesSession } from '../classify-failure.js';
import { SqlState } from '../sql-state.js';
import { ReconnectGate } from './reconnect-gate.js';
import type { Clock } from '../../../runtime/clock.js';
import { untraced } from '../../../runtime/untraced.js';
import type { Permit } from '../../../runtime/permit.js';

/** How long after several tenants used connections one tenant may not take all of them, in milliseconds. */
const SHARED_MS = 5_000;
/** How long a statement waits for its tenant's own connection, in milliseconds. A lock may block that connection. */
const MAX_HOME_WAIT_MS = 1_000;

interface Waiting {
  readonly since: number;
  readonly grant: (place: number) => void;
}

/** A connection that is lent for a statement which is not sent yet. */
interface Permitted {
  readonly place: number;
}

/**
 * Lends connections of one or more pools to tenants in turn, one statement at a time. A busy tenant gets at most half of
 * them. So statements of other tenants begin at once, and its batches don't occupy all of the server's cores.
 *
 * With several pools of one connection each, every tenant has affinity to one pool. On its connection the tenant's
 * statements are prepared, and the backend has cached the tenant's schema. So each backend plans for its own tenants only.
 * If the connection is in use and no tenant of another free pool waits, the statement goes to that pool.
 */
export class FairConnectionPool {
  /** Number of lent connections, by pool. */
  private readonly lent: number[] = [];
  /** Number of connections that a tenant uses. */
  private readonly held = new Map<object, number>();
  /** Waiting statements by tenant; the next tenant to serve comes first. */
  private readonly waiting = new Map<object, Waiting[]>();
  /** Connections that are lent for a tenant's next statements, which are not sent yet. */
  private readonly permitted = new Map<object, Permitted[]>();
  private readonly affinity = new WeakMap<object, number>();
  private nextAffinity = 0;
  private latest: object | undefined;
  private changedAt = -Infinity;
  private readonly gate: ReconnectGate;

  /** @param maxHomeWaitMs - after this time a statement takes any free connection */
  constructor(
    private readonly pools: readonly pg.Pool[],
    private readonly clock: Pick<Clock, 'now'>,
    private readonly maxHomeWaitMs = MAX_HOME_WAIT_MS,
  ) {
    this.gate = new ReconnectGate(clock, isAway);
  }

  /** The number of statements that wait for a connection. */
  get waitingCount(): number {
    let count = 0;
    for (const queue of this.waiting.values()) count += queue.length;
    return count;
  }

  /**
   * Runs `work`, which is one statement outside of a transaction, on a connection.
   *
   * If the statement fails, its connection is closed, because the state of the session is unknown. The exception is an
   * error of the statement's data, or of a lock: the session is then unchanged, and a new connection would cost the server
   * as much as a hundred outcomes.
   */
  async withConnection<T>(tenant: object, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const place = this.permittedPlace(tenant) ?? (await this.placeFor(tenant));
    let unusable = false;
    let client: pg.PoolClient | undefined;
    try {
      client = await this.connect(place);
      return await work(client);
    } catch (error) {
      unusable = !leavesSession(error);
      throw error;
    } finally {
      client?.release(unusable);
      this.giveBack(tenant, place);
    }
  }

  /**
   * Waits for a connection for the tenant's next statement. So the caller can decide as late as possible what to send. The
   * caller sends the statement in the same turn of the event loop, or releases the permit.
   */
  async permit(tenant: object): Promise<Permit> {
    const permitted: Permitted = { place: await this.placeFor(tenant) };
    const others = this.permitted.get(tenant);
    if (others === undefined) this.permitted.set(tenant, [permitted]);
    else others.push(permitted);
    return {
      release: () => {
        if (this.removePermit(tenant, permitted)) this.giveBack(tenant, permitted.place);
      },
    };
  }

  /** The use of the connections now. */
  get use(): {
    readonly max: number;
    readonly used: number;
    readonly idle: number;
    readonly pending: number;
  } {
    const sum = { max: 0, used: 0, idle: 0, pending: 0 };
    for (const pool of this.pools) {
      sum.max += pool.options.max;
      sum.used += pool.totalCount - pool.idleCount;
      sum.idle += pool.idleCount;
      sum.pending += pool.waitingCount;
    }
    for (const queue of this.waiting.values()) sum.pending += queue.length;
    return sum;
  }

  /** Takes the place of the tenant's first permit; undefined if it has none. */
  private permittedPlace(tenant: object): number | undefined {
    const permitted = this.permitted.get(tenant)?.[0];
    if (permitted !== undefined) this.removePermit(tenant, permitted);
    return permitted?.place;
  }

  /** Returns false if a statement has used the permit. */
  private removePermit(tenant: object, permitted: Permitted): boolean {
    const all = this.permitted.get(tenant) ?? [];
    const at = all.indexOf(permitted);
    if (at < 0) return false;
    all.splice(at, 1);
    if (all.length === 0) this.permitted.delete(tenant);
    return true;
  }

  private async placeFor(tenant: object): Promise<number> {
    this.note(tenant);
    return this.waiting.size > 0 || !this.mayTake(tenant)
      ? await new Promise<number>((grant) => this.queue(tenant, grant))
      : this.take(tenant, this.placeOf(tenant));
  }

  private async connect(place: number): Promise<pg.PoolClient> {
    const pool = this.pools[place];
    if (pool === undefined) throw new Error(`There is no pool ${place}.`);
    const open = (): Promise<pg.PoolClient> => untraced(() => pool.connect());
    try {
      // A pool that is full waits for one of its connections, and opens none.
      const opensOne = pool.idleCount === 0 && pool.totalCount < pool.options.max;
      return await (opensOne ? this.gate.connect(open) : open());
    } catch (error) {
      throw isAway(error) ? notConnected(error) : error;
    }
  }

  private note(tenant: object): void {
    if (!this.affinity.has(tenant))
      this.affinity.set(tenant, this.nextAffinity++ % this.pools.length);
    if (tenant === this.latest) return;
    if (this.latest !== undefined) this.changedAt = this.clock.now();
    this.latest = tenant;
  }

  private mayTake(tenant: object): boolean {
    let max = 0;
    let lent = 0;
    for (const [place, pool] of this.pools.entries()) {
      max += pool.options.max;
      lent += this.lent[place] ?? 0;
    }
    if (lent >= max) return false;
    const isShared = this.clock.now() - this.changedAt < SHARED_MS;
    return !isShared || (this.held.get(tenant) ?? 0) < Math.ceil(max / 2);
  }

  private isFree(place: number): boolean {
    return (this.lent[place] ?? 0) < (this.pools[place]?.options.max ?? 0);
  }

  private isHomeFree(tenant: object): boolean {
    return this.isFree(this.affinity.get(tenant) ?? 0);
  }

  /** Selects a free pool: the tenant's own first, and open connections before those that have to be opened. */
  private placeOf(tenant: object): number {
    const home = this.affinity.get(tenant) ?? 0;
    const isOpen = (place: number): boolean => (this.pools[place]?.totalCount ?? 0) > 0;
    if (this.isFree(home) && isOpen(home)) return home;
    const free = [...this.pools.keys()].filter((place) => this.isFree(place));
    return free.find(isOpen) ?? (this.isFree(home) ? home : (free[0] ?? home));
  }

  private take(tenant: object, place: number): number {
    this.lent[place] = (this.lent[place] ?? 0) + 1;
    this.held.set(tenant, (this.held.get(tenant) ?? 0) + 1);
    return place;
  }

  private queue(tenant: object, grant: (place: number) => void): void {
    const entry = { since: this.clock.now(), grant };
    const queue = this.waiting.get(tenant);
    if (queue === undefined) this.waiting.set(tenant, [entry]);
    else queue.push(entry);
    this.serve();
  }

  private giveBack(tenant: object, place: number): void {
    this.lent[place] = (this.lent[place] ?? 1) - 1;
    const held = (this.held.get(tenant) ?? 1) - 1;
    if (held > 0) this.held.set(tenant, held);
    else this.held.delete(tenant);
    if (this.waiting.size > 0) this.serve();
  }

  /** Serves the waiting tenants in turn, first those whose own connection is free, or that have waited too long. */
  private serve(): void {
    const now = this.clock.now();
    this.serveThose(
      (tenant, { since }) => this.isHomeFree(tenant) || now - since > this.maxHomeWaitMs,
    );
    this.serveThose(() => true);
  }

  private serveThose(isMeant: (tenant: object, first: Waiting) => boolean): void {
    for (const [tenant, queue] of this.waiting) {
      const [first] = queue;
      if (first === undefined || !this.mayTake(tenant) || !isMeant(tenant, first)) continue;
      this.waiting.delete(tenant);
      queue.shift();
      if (queue.length > 0) this.waiting.set(tenant, queue);
      first.grant(this.take(tenant, this.placeOf(tenant)));
    }
  }
}

/**
 * An error which says that there was no connection, so nothing was sent. The original error may not tell: a proxy before an
 * unreachable server may accept the connection and then close it.
 */
function notConnected(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(message, { cause }), { code: SqlState.notConnected });
}
