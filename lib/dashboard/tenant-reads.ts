import { systemClock, type Clock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';

/** How many reads of tenants are under way at a time, so that a page never takes the application's connections. */
const MAX_READS = 4;

interface Entry {
  readonly value: unknown;
  readonly readAt: number;
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
  private readonly running = new Map<string, Promise<unknown>>();
  private readonly waiting: (() => void)[] = [];
  private busy = 0;

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
    if (running !== undefined) return running as Promise<T>;
    const reading = this.inTurn(read).then((value) => {
      this.kept.set(name, { value, readAt: this.clock.now() });
      return value;
    });
    this.running.set(name, reading);
    try {
      return await reading;
    } finally {
      this.running.delete(name);
    }
  }

  /** Values of many tenants: those that are known after `budgetMs`. Of others, an older value counts if there is one. */
  async many<T>(
    tenants: readonly Tenant[],
    key: string,
    { maxAge, budgetMs }: { readonly maxAge: MaxAge<T>; readonly budgetMs: number },
    read: (tenant: Tenant) => Promise<T>,
  ): Promise<ReadTenants<T>> {
    const found = new Map<string, T>();
    const all = Promise.all(
      tenants.map(async (tenant) => {
        found.set(tenant.name, await this.one(tenant, key, maxAge, () => read(tenant)));
      }),
    );
    // The reads go on for the next call, and their failures are those of `read`, which has to answer with a value.
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
    for (const name of this.kept.keys()) {
      if ((JSON.parse(name) as [string, string])[0] !== tenant) continue;
      const entry = this.kept.get(name);
      if (entry !== undefined) this.kept.set(name, { value: entry.value, readAt: -Infinity });
    }
  }

  /** Drops what is kept of tenants that are served no more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.kept.keys()) {
      if (!names.has((JSON.parse(name) as [string, string])[0])) this.kept.delete(name);
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
