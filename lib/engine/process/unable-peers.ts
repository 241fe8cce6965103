import type { Clock } from '../../runtime/clock.js';

/** How long a process that could not take work of a tenant is not named for it again, in milliseconds. */
const UNABLE_MS = 10_000;

/**
 * The processes that could not take work of a tenant: they do not serve it, have no free slot, or did not answer. It
 * contains only processes that live, so it stays small.
 */
export class UnablePeers {
  private readonly until = new Map<string, Map<string, number>>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  add(tenant: string, tag: string): void {
    const known = this.until.get(tenant) ?? new Map<string, number>();
    const now = this.clock.now();
    for (const [other, until] of known) if (until <= now) known.delete(other);
    known.set(tag, now + UNABLE_MS);
    this.until.set(tenant, known);
  }

  has(tenant: string, tag: string): boolean {
    return (this.until.get(tenant)?.get(tag) ?? -Infinity) > this.clock.now();
  }

  clear(tenant: string): void {
    this.until.delete(tenant);
  }
}
