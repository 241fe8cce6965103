/** Due times this close together share a timer, in milliseconds. */
const GRAIN_MS = 5;
/** Node's timers hold no more than 2^31 - 1 ms; whatever is later is found by a sweep long before. */
const MAX_DELAY_MS = 3_600_000;

interface Timer {
  readonly at: number;
  readonly handle: NodeJS.Timeout;
}

/** One timer a tenant at most, for the nearest time at which something of it becomes due; none for idle tenants. */
export class DueTimers {
  private readonly timers = new Map<string, Timer>();

  constructor(private readonly onDue: (tenant: string) => void) {}

  /** Wakes the tenant in `ms` milliseconds, unless it is woken before that. */
  wakeIn(tenant: string, ms: number): void {
    const delay = Math.min(Math.max(0, ms), MAX_DELAY_MS);
    const at = performance.now() + delay;
    const set = this.timers.get(tenant);
    if (set !== undefined) {
      if (set.at <= at + GRAIN_MS) return;
      clearTimeout(set.handle);
    }
    // A millisecond later than asked: the database's clock decides, and a look too early is a look for nothing.
    const handle = setTimeout(() => {
      this.timers.delete(tenant);
      this.onDue(tenant);
    }, delay + 1);
    handle.unref();
    this.timers.set(tenant, { at, handle });
  }

  clear(tenant: string): void {
    clearTimeout(this.timers.get(tenant)?.handle);
    this.timers.delete(tenant);
  }

  close(): void {
    for (const tenant of this.timers.keys()) this.clear(tenant);
  }
}
