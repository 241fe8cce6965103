import type { Clock, Timer } from './clock.js';

/** Due times this close together share a timer, in milliseconds. */
const GRAIN_MS = 5;
/**
 * Maximum delay of a timer, in milliseconds: the clocks of process and database drift apart. The sweep finds anything later in
 * time.
 */
const MAX_DELAY_MS = 86_400_000;

/** A tenant has work of a kind that becomes due. */
export interface WakeUp<K extends string> {
  readonly kind: K;
  readonly tenant: string;
  /** Time until the work is due, in milliseconds from now; 0 or less if it is due already. */
  readonly inMs: number;
}

interface DueTimer {
  readonly at: number;
  readonly timer: Timer;
}

/**
 * Keeps at most one timer for each kind and tenant, set to the nearest due time. Idle tenants have none.
 */
export class WakeUpTimers<K extends string> {
  private readonly timers = new Map<string, DueTimer>();

  /** @param onDue - for each kind, the callback of a tenant's timer */
  constructor(
    private readonly onDue: Readonly<Record<K, (tenant: string) => void>>,
    private readonly clock: Clock,
  ) {}

  /** Sets the timer, unless an earlier one of the same kind and tenant is set. */
  schedule({ kind, tenant, inMs }: WakeUp<K>): void {
    const key = keyOf(kind, tenant);
    const delay = Math.min(Math.max(0, inMs), MAX_DELAY_MS);
    const at = this.clock.now() + delay;
    const set = this.timers.get(key);
    if (set !== undefined) {
      if (set.at <= at + GRAIN_MS) return;
      set.timer.cancel();
    }
    // One millisecond late: the database's clock decides what is due, and a query that comes too early finds nothing.
    const timer = this.clock.timer(() => {
      this.timers.delete(key);
      this.onDue[kind](tenant);
    }, delay + 1);
    this.timers.set(key, { at, timer });
  }

  /** Cancels all timers of the tenant. */
  clear(tenant: string): void {
    for (const kind of Object.keys(this.onDue)) this.drop(keyOf(kind, tenant));
  }

  close(): void {
    for (const key of this.timers.keys()) this.drop(key);
  }

  private drop(key: string): void {
    this.timers.get(key)?.timer.cancel();
    this.timers.delete(key);
  }
}

function keyOf(kind: string, tenant: string): string {
  return `${kind} ${tenant}`;
}
