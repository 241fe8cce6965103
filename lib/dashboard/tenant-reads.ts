import { systemClock, type Clock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';

/** How many reads of tenants are under way at a time, so that a page never takes the application's connections. */
const MAX_READS = 4;
/** How many values are kept for each tenant of the largest page, and in any case. Users choose some keys, so there is no end of them. */
const KEPT_PER_TENANT = 4;
const MIN_KEPT = 1_000;

interface Entry {
  readonly value: unknown;
  readonly readAt: number;
}

/** A read that is under way. */
interface Running {
  readonly value: Promise<unknown>;
  /** Whether the tenant has changed since it began. */
  isOutdated: boolean;
}

/** How old a value may be, in milliseconds; it may depend on the value. */
type MaxAge<T> = number | ((value: T) => number);

/** What was read of many tenants. */
export interface ReadTenants<T> {
  readonly values: readonly { readonly tenant: Tenant; readonly value: T }[];
  /** Whether all tenants were read. The others are being read, so a later call has them. */
  readonly isComplete: boolean;
}

/**
 * Reads of tenants for all pages together: a value is read once, however many pages ask, and kept for a time. A page over many
 * tenants waits a short time and shows those that were read by then.
 */
export class TenantReads {
  private readonly kept = new Map<string, Entry>();
  private readonly running = new Map<string, Running>();
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  private maxKept = MIN_KEPT;

  constructor(private readonly clock: Clock = systemClock) {}

  /** A value of a tenant, at most `maxAge` old. */
  async one<T>(tenant: Tenant, key: string, maxAge: MaxAge<T>, read: () => Promise<T>): Promise<T> {
    const name = JSON.stringify([tenant.name, key]);
    const entry = this.kept.get(name);
    if (entry !== undefined) {
      const value = entry.value as T;
      const maxAgeMs = typeof maxAge === 'number' ? maxAge : maxAge(value);
      if (this.clock.now() - entry.readAt < maxAgeMs) return value;
    }
    const running = this.running.get(name);
    if (running !== undefined) return running.value as Promise<T>;
    const value = this.inTurn(read);
    const reading: Running = { value, isOutdated: false };
    this.running.set(name, reading);
    try {
      const answer = await value;
      // A later change may be missing in it, so it counts only as an older value, and only if there is no other.
      if (!reading.isOutdated) this.keep(name, { value: answer, readAt: this.clock.now() });
      else if (!this.kept.has(name)) this.keep(name, { value: answer, readAt: -Infinity });
      return answer;
    } finally {
      if (this.running.get(name) === reading) this.running.delete(name);
    }
  }

  /** Values of many tenants: those that are known after `budgetMs`. Of others, an older value counts if there is one. */
  async many<T>(
    tenants: readonly Tenant[],
    key: string,
    { maxAge, budgetMs }: { readonly maxAge: MaxAge<T>; readonly budgetMs: number },
    read: (tenant: Tenant) => Promise<T>,
  ): Promise<ReadTenants<T>> {
    this.maxKept = Math.max(this.maxKept, tenants.length * KEPT_PER_TENANT);
    const found = new Map<string, T>();
    const all = Promise.all(
      tenants.map(async (tenant) => {
        found.set(tenant.name, await this.one(tenant, key, maxAge, () => read(tenant)));
      }),
    );
    // The reads continue for the next call, and their failures are those of `read`, which has to answer with a value.
    all.catch(() => undefined);
    await Promise.race([all, this.clock.sleep(budgetMs)]);
    const values = tenants.flatMap((tenant) => {
      const known = found.get(tenant.name) ?? this.older<T>(tenant, key);
      return known === undefined ? [] : [{ tenant, value: known }];
    });
    return { values, isComplete: found.size === tenants.length };
  }

  /** The next read of the tenant asks the database. */
  forget(tenant: string): void {
    const start = `[${JSON.stringify(tenant)},`;
    for (const [name, { value }] of this.kept) {
      if (name.startsWith(start)) this.kept.set(name, { value, readAt: -Infinity });
    }
    for (const [name, reading] of this.running) {
      if (!name.startsWith(start)) continue;
      reading.isOutdated = true;
      this.running.delete(name);
    }
  }

  /** Keeps a value, and drops those that were read longest ago, such as those of tenants that are no longer served. */
  private keep(name: string, entry: Entry): void {
    this.kept.delete(name);
    this.kept.set(name, entry);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.maxKept) break;
      this.kept.delete(oldest);
    }
  }

  private older<T>(tenant: Tenant, key: string): T | undefined {
    return this.kept.get(JSON.stringify([tenant.name, key]))?.value as T | undefined;
  }

  private async inTurn<T>(read: () => Promise<T>): Promise<T> {
    if (this.busy >= MAX_READS) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.busy++;
    try {
      return await read();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.busy--;
      else next();
    }
  }
}
