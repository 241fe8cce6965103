import type { Clock, Timer } from './clock.js';

/** Due times this close together share a timer, in milliseconds. */
const GRAIN_MS = 5;
/** Whatever is later is found by a sweep long before. */
const MAX_DELAY_MS = 3_600_000;

/** Something of a tenant becomes due. */
export interface WakeUp<K extends string> {
  readonly kind: K;
  readonly tenant: string;
  /** In milliseconds from now; 0 or less: it is due. */
  readonly inMs: number;
}

interface DueTimer {
  readonly at: number;
  readonly timer: Timer;
}

/**
 * One timer for each kind and tenant at most, for the nearest time at which something becomes due; none for idle
 * tenants.
 */
export class WakeUpTimers<K extends string> {
  private readonly timers = new Map<string, DueTimer>();

  /** @param onDue - by kind, what a tenant's timer does */
  constructor(
    private readonly onDue: Readonly<Record<K, (tenant: string) => void>>,
    private readonly clock: Clock,
  ) {}

  /** Wakes the tenant at that time, unless something of the kind wakes it before that. */
  schedule({ kind, tenant, inMs }: WakeUp<K>): void {
    const key = keyOf(kind, tenant);
    const delay = Math.min(Math.max(0, inMs), MAX_DELAY_MS);
    const at = this.clock.now() + delay;
    const set = this.timers.get(key);
    if (set !== undefined) {
      if (set.at <= at + GRAIN_MS) return;
      set.timer.cancel();
    }
    // A millisecond later than asked: the database's clock decides, and a look too early is a look for nothing.
    const timer = this.clock.timer(() => {
      this.timers.delete(key);
      this.onDue[kind](tenant);
    }, delay + 1);
    this.timers.set(key, { at, timer });
  }

  /** Forgets the tenant's timers of all kinds. */
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
