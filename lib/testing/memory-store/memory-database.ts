import type { Clock } from '../../runtime/clock.js';
import { MemoryTables } from './memory-tables.js';

/**
 * The database that processes share: the tables of each tenant, the locks that prove a process to be alive, and the
 * notifications. Two stores on one database and schema act as two processes on one tenant.
 */
export class MemoryDatabase {
  /** The locks of living processes, in the format of leases. */
  readonly locks = new Set<string>();
  private readonly tenants = new Map<string, MemoryTables>();
  private readonly listeners = new Set<(payload: string) => void>();
  private lastLock = 0;

  /** @param clock - the database's clock; processes may have different ones */
  constructor(readonly clock: Clock) {}

  /** The database's time, in milliseconds since 1970. */
  now(): number {
    return this.clock.wallTime();
  }

  /** The tables of one tenant, created by the first call. */
  tables(schema: string): MemoryTables {
    const known = this.tenants.get(schema);
    if (known !== undefined) return known;
    const tables = new MemoryTables(schema, this.clock, this.locks, (payloads) =>
      this.notify(payloads),
    );
    this.tenants.set(schema, tables);
    return tables;
  }

  /** Takes a new lock with each call. */
  takeLock(): string {
    const lock = `memory:${++this.lastLock}`;
    this.locks.add(lock);
    return lock;
  }

  /** Calls `listener` with every payload from now on. Returns a function that removes the listener. */
  listen(listener: (payload: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  notify(payloads: readonly string[]): void {
    for (const payload of payloads) {
      for (const listener of this.listeners) listener(payload);
    }
  }
}
