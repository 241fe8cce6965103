import type { Clock } from '../../runtime/clock.js';
import { MemoryTables } from './memory-tables.js';

/**
 * What processes share: the tables of each tenant, the locks that prove that a process lives, and the notifications.
 * Two stores on one database and schema are two processes on one tenant.
 */
export class MemoryDatabase {
  /** The locks of living processes, as leases tell them. */
  readonly locks = new Set<string>();
  private readonly tenants = new Map<string, MemoryTables>();
  private readonly listeners = new Set<(payload: string) => void>();
  private lastLock = 0;

  /** @param clock - the database's; processes may have others */
  constructor(readonly clock: Clock) {}

  /** Milliseconds since 1970. */
  now(): number {
    return this.clock.wallTime();
  }

  /** The tables of one tenant, made when they are first asked for. */
  tables(schema: string): MemoryTables {
    const known = this.tenants.get(schema);
    if (known !== undefined) return known;
    const tables = new MemoryTables(schema, this.clock, this.locks);
    this.tenants.set(schema, tables);
    return tables;
  }

  /** Another lock with each call. */
  takeLock(): string {
    const lock = `memory:${++this.lastLock}`;
    this.locks.add(lock);
    return lock;
  }

  /** Calls `listener` with every payload that is sent from now on; returns what ends that. */
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
