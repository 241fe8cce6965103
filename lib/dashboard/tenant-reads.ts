import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { poolSizeOf } from '../tenants/hosting/pool-sizes.js';
import { DASHBOARD_CLOCK } from './clock.js';
import { ReadGate } from './read-gate.js';
import { ReadSlots } from './read-slots.js';
import { identityOf } from './tenant-identity.js';

/** How many reads for kept values are under way at a time on a server. A page over many tenants asks for all of them at once. */
const KEPT_READS = 4;
const KEPT_LIMITS = { total: KEPT_READS, ofTenant: KEPT_READS, waiting: Infinity };
/** What requests may read beside them. */
const LIMITS = { total: 6, ofTenant: 2, waiting: 50 };
/** How many values are kept for each tenant of the largest page, and in any case. Users choose some keys, so there is no end of them. */
const KEPT_PER_TENANT = 4;
const MIN_KEPT = 1_000;
/** The time between two reads of a value that changes all the time, in milliseconds. */
const THROTTLE_MS = 1_000;
/**
 * The longest time between two reads of a value that does not change, in milliseconds: for each tenant of the largest page,
 * and its limits. So a page over a thousand tenants where nothing happens reads two of them a second.
 */
const QUIET_PER_TENANT_MS = 500;
const MIN_QUIET_MS = 60_000;
const MAX_QUIET_MS = 600_000;

interface Entry {
  readonly value: unknown;
  readonly readAt: number;
  /** How long the value counts from then on. */
  readonly ageMs: number;
  /** Whether the tenant has changed since. */
  isOutdated: boolean;
}

/** A read that is under way, or waits for its turn. */
interface Running {
  value: Promise<unknown>;
  /** Whether its value is kept. */
  readonly isKept: boolean;
  /** Whether the tenant is being read. A read that waits yet will see each change. */
  isBegun: boolean;
  /** Whether the tenant has changed since it was begun. */
  isOutdated: boolean;
  /** Whether another read does not wait for it, so it may end after that. */
  isReplaced: boolean;
}

/** A value that is kept. */
export interface Kept<T> {
  /** Names the value among those of a tenant. */
  readonly key: string;
  /** How long a new value counts, in milliseconds. The time doubles with each read that finds the same value. */
  readonly minAgeMs: number;
  readonly read: (tenant: Tenant) => Promise<T>;
  /** What makes two values the same. Default: all of the value. */
  readonly shape?: (value: T) => unknown;
}

/** What was read of many tenants. */
export interface ReadTenants<T> {
  readonly values: readonly { readonly tenant: Tenant; readonly value: T }[];
  /** Whether all tenants were read. The others are being read, so a later call has them. */
  readonly isComplete: boolean;
}

/**
 * Reads of tenants for all pages together: a value is read once, however many pages ask, whatever tenants each of them shows.
 *
 * **Kept values.** A value is read again when this process has changed the tenant ({@link forget}), at most once a second.
 * Without such a change it is read less and less often as long as it stays the same: of other processes this one hears nothing.
 * A page over many tenants waits a short time and shows those that were read by then.
 *
 * **Others** ({@link now}) are read for each request, but once for requests at the same time.
 */
@Injectable()
export class TenantReads {
  private readonly kept = new Map<string, Entry>();
  private readonly running = new Map<string, Running>();
  /** By server: reads wait for one that is away, and must keep none of another waiting. */
  private readonly servers = new Map<string | undefined, ServerReads>();
  private largest = 1;
  private changes = 0;

  constructor(@Inject(DASHBOARD_CLOCK) private readonly clock: Clock) {}

  /** Grows whenever a kept value is another one than before. */
  get version(): number {
    return this.changes;
  }

  /** A kept value of a tenant. */
  one<T>(tenant: Tenant, of: Kept<T>): Promise<T> {
    const name = nameOf(tenant, of.key);
    const entry = this.kept.get(name);
    if (entry !== undefined && this.counts(entry)) return Promise.resolve(entry.value as T);
    return this.once(name, true, async (reading) => {
      // A tenant that changes all the time is read once a second, and all that ask wait for the same read.
      const waitMs = (this.kept.get(name)?.readAt ?? -Infinity) + THROTTLE_MS - this.clock.now();
      if (waitMs > 0) await this.clock.sleep(waitMs);
      const value = await readsOf(this.servers, tenant).kept.run(tenant.name, () => {
        reading.isBegun = true;
        return of.read(tenant);
      });
      this.read(name, of, value, reading);
      return value;
    });
  }

  /** Kept values of many tenants: those that are known after `budgetMs`. Of others, an older value counts if there is one. */
  async many<T>(
    tenants: readonly Tenant[],
    of: Kept<T>,
    budgetMs: number,
  ): Promise<ReadTenants<T>> {
    this.largest = Math.max(this.largest, tenants.length);
    const found = new Map<string, T>();
    const all = Promise.all(
      tenants.map(async (tenant) => {
        found.set(tenant.name, await this.one(tenant, of));
      }),
    );
    // The reads continue for the next call, and their failures are those of `read`, which has to answer with a value.
    all.catch(() => undefined);
    const over = new AbortController();
    await Promise.race([all, this.clock.sleep(budgetMs, over.signal)]);
    over.abort();
    const values = tenants.flatMap((tenant) => {
      const known = found.get(tenant.name) ?? this.older<T>(tenant, of.key);
      return known === undefined ? [] : [{ tenant, value: known }];
    });
    return { values, isComplete: found.size === tenants.length };
  }

  /** Begins to read the kept values that no longer count, and does not wait for them. */
  refresh<T>(tenants: readonly Tenant[], of: Kept<T>): void {
    for (const tenant of tenants) {
      const entry = this.kept.get(nameOf(tenant, of.key));
      if (entry === undefined || !this.counts(entry))
        void this.one(tenant, of).catch(() => undefined);
    }
  }

  /**
   * A value of this moment. Requests at the same time share the read.
   *
   * @throws DashboardProblem (503) if too many reads of the tenant wait
   */
  now<T>(tenant: Tenant, key: string, read: () => Promise<T>): Promise<T> {
    const name = nameOf(tenant, `now ${key}`);
    const { others } = readsOf(this.servers, tenant);
    return this.once(name, false, () => others.run(tenant.name, read));
  }

  /**
   * The tenant has changed: what was read of it no longer counts.
   *
   * @param isOwn - the user of the page has changed it, and does not wait for the throttle
   */
  forget(tenant: string, isOwn = false): void {
    const start = `[${JSON.stringify(tenant)},`;
    for (const [name, entry] of this.kept) {
      if (!name.startsWith(start)) continue;
      entry.isOutdated = true;
      if (isOwn) this.kept.set(name, { ...entry, readAt: -Infinity });
    }
    for (const [name, reading] of this.running) {
      if (!name.startsWith(start)) continue;
      reading.isOutdated ||= reading.isBegun;
      // Kept values are read one at a time. Otherwise the reads of a tenant that changes faster than it is read would pile up.
      if (reading.isKept && !isOwn) continue;
      reading.isReplaced = true;
      this.running.delete(name);
    }
  }

  private counts({ readAt, ageMs, isOutdated }: Entry): boolean {
    return !isOutdated && this.clock.now() - readAt < ageMs;
  }

  /** Shares a read among those who ask for it, unless the tenant has changed since it was begun: another one follows then. */
  private once<T>(
    name: string,
    isKept: boolean,
    read: (reading: Running) => Promise<T>,
  ): Promise<T> {
    const known = this.running.get(name);
    if (known !== undefined && !known.isOutdated) return known.value as Promise<T>;
    const reading: Running = {
      value: Promise.resolve(),
      isKept,
      isBegun: false,
      isOutdated: false,
      isReplaced: false,
    };
    const begin = async (): Promise<T> => {
      try {
        if (known !== undefined) await known.value.catch(() => undefined);
        return await read(reading);
      } finally {
        if (this.running.get(name) === reading) this.running.delete(name);
      }
    };
    const value = begin();
    reading.value = value;
    this.running.set(name, reading);
    return value;
  }

  private read<T>(name: string, of: Kept<T>, value: T, reading: Running): void {
    const before = this.kept.get(name);
    // There may be a newer value, which has the change of the user.
    if (reading.isReplaced && before !== undefined) return;
    // A later change may be missing in it, so it counts only as an older value.
    const isOutdated = reading.isOutdated || reading.isReplaced;
    const shape = of.shape ?? ((all: T): unknown => all);
    const isSame =
      before !== undefined &&
      JSON.stringify(shape(before.value as T)) === JSON.stringify(shape(value));
    if (!isSame) this.changes++;
    const ageMs = isSame && !before.isOutdated ? before.ageMs * 2 : of.minAgeMs;
    this.keep(name, {
      value,
      readAt: isOutdated && before === undefined ? -Infinity : this.clock.now(),
      ageMs: Math.min(ageMs, this.quietMs),
      isOutdated,
    });
  }

  private get quietMs(): number {
    return Math.min(MAX_QUIET_MS, Math.max(MIN_QUIET_MS, this.largest * QUIET_PER_TENANT_MS));
  }

  /** Keeps a value, and drops those that were read longest ago, such as those of tenants that are no longer served. */
  private keep(name: string, entry: Entry): void {
    this.kept.delete(name);
    this.kept.set(name, entry);
    const maxKept = Math.max(MIN_KEPT, this.largest * KEPT_PER_TENANT);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= maxKept) break;
      this.kept.delete(oldest);
    }
  }

  private older<T>(tenant: Tenant, key: string): T | undefined {
    return this.kept.get(nameOf(tenant, key))?.value as T | undefined;
  }
}

/** The reads of one server: of both kinds together, they take at most half of its connections. */
class ServerReads {
  readonly kept: ReadSlots;
  readonly others: ReadSlots;
  private latest: Tenant | undefined;

  constructor() {
    const gate = new ReadGate(() => this.size);
    this.others = new ReadSlots(LIMITS, gate);
    this.kept = new ReadSlots(KEPT_LIMITS, gate);
  }

  /** Tenants of one server may have different logins, with a pool each: the pool of the last one counts. */
  asked(tenant: Tenant): void {
    this.latest = tenant;
  }

  private get size(): number {
    const connections = this.latest === undefined ? undefined : poolSizeOf(this.latest);
    return connections === undefined ? Infinity : Math.floor(connections / 2);
  }
}

function readsOf(servers: Map<string | undefined, ServerReads>, tenant: Tenant): ServerReads {
  const reads = servers.get(tenant.server) ?? new ServerReads();
  servers.set(tenant.server, reads);
  reads.asked(tenant);
  return reads;
}

function nameOf(tenant: Tenant, key: string): string {
  return JSON.stringify([tenant.name, identityOf(tenant), key]);
}
