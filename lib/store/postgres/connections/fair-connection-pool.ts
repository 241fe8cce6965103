import type pg from 'pg';
import { isAway, leavesSession } from '../classify-failure.js';
import { SqlState } from '../sql-state.js';
import type { Clock } from '../../../runtime/clock.js';

/** How long after several tenants were at work one alone does not get all connections, in milliseconds. */
const SHARED_MS = 5_000;
/** How long a statement waits for its tenant's own connection, in milliseconds: that may be held up by a lock. */
const MAX_HOME_WAIT_MS = 1_000;

interface Waiting {
  readonly since: number;
  readonly grant: (place: number) => void;
}

/**
 * Lends the connections of one or more pools for a statement at a time, in turn to the tenants that want some. One that
 * floods them leaves half to the others: their statements begin at once, and the server's cores aren't all busy with
 * its batches.
 *
 * Where there are several pools, of a connection each, every tenant is at home in one of them: there its statements are
 * prepared, and the backend knows its schema. It goes elsewhere when its own is taken and no tenant of that pool waits. So
 * a backend plans for its own tenants, and not for all of them.
 */
export class FairConnectionPool {
  /** Connections that are lent, by pool. */
  private readonly lent: number[] = [];
  /** Connections that a tenant has. */
  private readonly held = new Map<object, number>();
  /** Those who wait, the next tenant first. */
  private readonly waiting = new Map<object, Waiting[]>();
  private readonly affinity = new WeakMap<object, number>();
  private nextAffinity = 0;
  private latest: object | undefined;
  private changedAt = -Infinity;

  /** @param maxHomeWaitMs - who waits longer than this takes whatever comes free */
  constructor(
    private readonly pools: readonly pg.Pool[],
    private readonly clock: Pick<Clock, 'now'>,
    private readonly maxHomeWaitMs = MAX_HOME_WAIT_MS,
  ) {}

  /**
   * A connection whose statement fails is closed, as the pool itself would do: its state is unknown. Not so when the server
   * refused the statement for its data, or for a lock: `work` is one statement in no transaction, so the session is as it
   * was, and to open another one costs the server as much as a hundred outcomes.
   */
  async withConnection<T>(tenant: object, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    this.note(tenant);
    const place =
      this.waiting.size > 0 || !this.mayTake(tenant)
        ? await new Promise<number>((grant) => this.queue(tenant, grant))
        : this.take(tenant, this.placeOf(tenant));
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

  private async connect(place: number): Promise<pg.PoolClient> {
    const pool = this.pools[place];
    if (pool === undefined) throw new Error(`There is no pool ${place}.`);
    try {
      return await pool.connect();
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

  /** Its own, rather one that is open than one that would have to be opened. Something is free. */
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

  /** One to each in turn, as long as there are any: first to those who are at home where something is free. */
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
 * That there was no connection, however the attempt failed: a proxy before a server that is away may accept it and hang
 * up. So nothing was sent, which the connection's own error doesn't tell.
 */
function notConnected(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(message, { cause }), { code: SqlState.notConnected });
}
