import { LEASE_NOTICE } from '../../store/port/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Minimum time between two work notifications of one tenant, in milliseconds. The first is sent at once. */
const WAKE_INTERVAL_MS = 50;

export type Notification =
  /** The processes or the tenants have changed. No change is named: the receivers read the locks or the catalog. */
  | { readonly kind: 'processes' }
  | { readonly kind: 'tenants' }
  /** At least one process has leases, so the processes watch each other. */
  | { readonly kind: 'leases' }
  /** The sender has swept tenants and found nothing to do. The digest stands for what it read. */
  | { readonly kind: 'swept'; readonly digest: string }
  | { readonly kind: 'work'; readonly tenant: string }
  | {
      readonly kind: 'cancelled' | 'ended' | 'paused';
      readonly tenant: string;
      readonly executionId: string;
    };

const PROCESSES = 'h';
const TENANTS = 't';
const SWEPT = /^s([0-9a-f]{32})$/;
const LETTERS = { work: 'w', cancelled: 'c', ended: 'e', paused: 'p' } as const;
const KINDS = { w: 'work', c: 'cancelled', e: 'ended', p: 'paused' } as const;
const FORM = /^([wcep])([0-9a-f]{16})([0-9a-f-]{36})?$/;

/** The payload of a notification. It has a hash in place of the tenant's name, because every role may listen. */
export function encodeNotification(notification: Notification): string {
  if (notification.kind === 'processes') return PROCESSES;
  if (notification.kind === 'tenants') return TENANTS;
  if (notification.kind === 'leases') return LEASE_NOTICE;
  if (notification.kind === 'swept') return `s${notification.digest}`;
  const id = notification.kind === 'work' ? '' : notification.executionId;
  return `${LETTERS[notification.kind]}${notification.tenant}${id}`;
}

function isLetter(letter: string | undefined): letter is keyof typeof KINDS {
  return letter !== undefined && letter in KINDS;
}

/** The notification in a payload; undefined for a payload that is not the library's. */
export function decodeNotification(payload: string): Notification | undefined {
  if (payload === PROCESSES) return { kind: 'processes' };
  if (payload === TENANTS) return { kind: 'tenants' };
  if (payload === LEASE_NOTICE) return { kind: 'leases' };
  const [, digest] = SWEPT.exec(payload) ?? [];
  if (digest !== undefined) return { kind: 'swept', digest };
  const [, letter, tenant, executionId] = FORM.exec(payload) ?? [];
  if (tenant === undefined || !isLetter(letter)) return undefined;
  const kind = KINDS[letter];
  if (kind === 'work') return { kind, tenant };
  return executionId === undefined ? undefined : { kind, tenant, executionId };
}

/**
 * Sends notifications to the other processes, in batches and one statement at a time. It never sends within a hot
 * transaction, because a NOTIFY makes commits wait for each other. A lost notification only costs latency.
 */
export class Notifier {
  private readonly due = new Set<string>();
  private readonly lastWake = new Map<string, number>();
  private readonly timers = new Map<string, Timer>();
  private sending = false;

  constructor(
    /** Returns undefined while there is no connection to send on. Then the notifications are dropped. */
    private readonly send: (payloads: readonly string[]) => Promise<void> | undefined,
    private readonly clock: Clock,
  ) {}

  notify(notification: Notification): void {
    if (notification.kind === 'work' && !this.mayWake(notification.tenant)) return;
    this.due.add(encodeNotification(notification));
    if (!this.sending) void this.flush();
  }

  /** Drops what is kept for a removed tenant. */
  forget(tenant: string): void {
    this.timers.get(tenant)?.cancel();
    this.timers.delete(tenant);
    this.lastWake.delete(tenant);
  }

  close(): void {
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
  }

  /** Limits the rate. A notification that comes too early is sent when the interval is over. */
  private mayWake(tenant: string): boolean {
    const now = this.clock.now();
    const wait = (this.lastWake.get(tenant) ?? -Infinity) + WAKE_INTERVAL_MS - now;
    if (wait <= 0) {
      this.lastWake.set(tenant, now);
      return true;
    }
    if (!this.timers.has(tenant)) {
      const timer = this.clock.timer(() => {
        this.timers.delete(tenant);
        this.notify({ kind: 'work', tenant });
      }, wait);
      this.timers.set(tenant, timer);
    }
    return false;
  }

  private async flush(): Promise<void> {
    this.sending = true;
    await Promise.resolve();
    while (this.due.size > 0) {
      const payloads = [...this.due];
      this.due.clear();
      try {
        await this.send(payloads);
      } catch {
        // The connection failed. The other processes find the work in their next sweep.
      }
    }
    this.sending = false;
  }
}
