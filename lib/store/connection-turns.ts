import type pg from 'pg';
import { failureKind } from './failure-kind.js';
import { SqlState } from './sql-state.js';

/** For so long after several tenants were at work, one alone doesn't get all connections, in milliseconds. */
const SHARED_MS = 5_000;

/**
 * Lends the connections of a pool for a statement at a time, in turn to the tenants that want some. One that floods the
 * pool leaves half of it to the others: their statements begin at once, and the server's cores aren't all busy with its
 * batches.
 */
export class ConnectionTurns {
  private lent = 0;
  /** Connections that a tenant has. */
  private readonly held = new Map<object, number>();
  /** Those who wait, the next tenant first. */
  private readonly waiting = new Map<object, (() => void)[]>();
  private latest: object | undefined;
  private changedAt = -Infinity;

  constructor(readonly pool: pg.Pool) {}

  /** A connection whose statement fails is closed, as the pool itself would do: nobody knows in what state it is. */
  async lend<T>(tenant: object, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    this.note(tenant);
    if (this.waiting.size > 0 || !this.mayTake(tenant)) {
      await new Promise<void>((resolve) => this.queue(tenant, resolve));
    } else {
      this.take(tenant);
    }
    let failed = true;
    let client: pg.PoolClient | undefined;
    try {
      client = await this.connect();
      const result = await work(client);
      failed = false;
      return result;
    } finally {
      client?.release(failed);
      this.giveBack(tenant);
    }
  }

  private async connect(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw failureKind(error) === 'connection' ? notConnected(error) : error;
    }
  }

  private note(tenant: object): void {
    if (tenant === this.latest) return;
    if (this.latest !== undefined) this.changedAt = performance.now();
    this.latest = tenant;
  }

  private mayTake(tenant: object): boolean {
    const { max } = this.pool.options;
    if (this.lent >= max) return false;
    const isShared = performance.now() - this.changedAt < SHARED_MS;
    return !isShared || (this.held.get(tenant) ?? 0) < Math.ceil(max / 2);
  }

  private take(tenant: object): void {
    this.lent++;
    this.held.set(tenant, (this.held.get(tenant) ?? 0) + 1);
  }

  private queue(tenant: object, resolve: () => void): void {
    const queue = this.waiting.get(tenant);
    if (queue === undefined) this.waiting.set(tenant, [resolve]);
    else queue.push(resolve);
    this.serve();
  }

  private giveBack(tenant: object): void {
    this.lent--;
    const held = (this.held.get(tenant) ?? 1) - 1;
    if (held > 0) this.held.set(tenant, held);
    else this.held.delete(tenant);
    if (this.waiting.size > 0) this.serve();
  }

  /** One to each in turn, as long as there are any. */
  private serve(): void {
    for (const [tenant, queue] of this.waiting) {
      if (!this.mayTake(tenant)) continue;
      this.waiting.delete(tenant);
      const next = queue.shift();
      if (queue.length > 0) this.waiting.set(tenant, queue);
      if (next === undefined) continue;
      this.take(tenant);
      next();
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
