import { Logger } from '@nestjs/common';
import { messageWithoutSecrets, NotAllowedError } from '../../errors/index.js';
import type { ConnectionGroup } from './connection-group.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { TenantRuntime } from './tenant-runtime.js';
import {
  existingSchemas,
  findTenants,
  type FoundTenants,
  type MarkedSchema,
} from './tenant-marker.js';
import { schemaKey, type SchemaPlace, type TenantsInUse } from './tenants-in-use.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** How often the database is looked through, in case an announcement got lost; moved about to keep processes apart. */
const LOOK_INTERVAL_MS = 15_000;
/** Pause before a tenant is tried again that could not be opened, or was declined, in ms; doubled up to the maximum. */
const RETRY_MS = 15_000;
const MAX_RETRY_MS = 600_000;
/** Failures that are logged one by one; of the others, how many there are. */
const MAX_LOGGED = 5;

export interface DiscoveryParts {
  readonly group: ConnectionGroup;
  /** Where the database is. */
  readonly settings: ConnectionSource;
  /** Also those that are being opened. */
  readonly inUse: Pick<TenantsInUse, 'onSchema'>;
  /** The tenants of this process. */
  readonly runtime: () => readonly TenantRuntime[];
  /** False: the application does not want it. */
  readonly open: (found: MarkedSchema) => Promise<boolean>;
  /** Stops serving it at once. */
  readonly remove: (tenant: string) => Promise<void>;
}

interface Pause {
  /** By the clock. */
  readonly retryAt: number;
  readonly pauseMs: number;
  /** The tenant failed, and the log says so; otherwise the application declined it. */
  readonly hasFailed: boolean;
}

/**
 * Serves the tenants that other processes added to the database of one login, and stops serving those whose schema is
 * gone. It looks when a new tenant is announced, and now and then in case the announcement got lost: one statement.
 */
export class TenantDiscovery {
  private readonly logger = new Logger('CloacinaTenants');
  /** Schemas of tenants that the application removed: not served again until they are added. */
  private readonly removed = new Set<string>();
  /** Schemas that are left alone for a while: those of tenants that failed, or that the application declined. */
  private readonly pauses = new Map<string, Pause>();
  /** Schemas of strangers, of which the log says so once. */
  private readonly warned = new Set<string>();
  private timer: Timer | undefined;
  private looking: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private readonly clock: Clock;

  constructor(private readonly parts: DiscoveryParts) {
    this.clock = parts.group.clocks.process;
  }

  start(): void {
    this.parts.group.onTenants = () => this.lookOnce().catch(() => undefined);
    // Something may have been added since the look of the boot.
    this.parts.group.onTenants();
    this.plan();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.parts.group.onTenants = () => undefined;
  }

  /** The application does not want the tenant any more. */
  forget(place: SchemaPlace): void {
    if (this.isHere(place)) this.removed.add(place.schema);
  }

  /** The application wants it. */
  want(place: SchemaPlace): void {
    if (!this.isHere(place)) return;
    this.removed.delete(place.schema);
    this.pauses.delete(place.schema);
  }

  /** A tenant that was found could not be served. */
  report(place: MarkedSchema, error: unknown): void {
    const message = this.failed(place, error);
    if (message !== undefined) this.logger.error(message);
  }

  private isHere(place: SchemaPlace): boolean {
    return schemaKey(place) === schemaKey({ ...this.parts.settings, schema: place.schema });
  }

  /** Looks through the database. A call while it is at it makes it look once more. */
  async lookOnce(): Promise<void> {
    if (this.looking !== undefined) {
      this.again = true;
      return this.looking;
    }
    this.looking = this.lookUntilQuiet();
    return this.looking;
  }

  private async lookUntilQuiet(): Promise<void> {
    try {
      do {
        this.again = false;
        await this.look();
      } while (this.again && !this.stopped);
    } finally {
      this.looking = undefined;
    }
  }

  private async look(): Promise<void> {
    const { tenants: found, strange } = await findTenants(this.parts.group.pools.general);
    if (this.stopped) return;
    this.warnOf(strange);
    const schemas = new Set(found.map(({ schema }) => schema));
    for (const schema of this.removed) if (!schemas.has(schema)) this.removed.delete(schema);
    await this.removeGone(schemas);
    await this.removeRenamed(found);
    await this.openNew(found);
  }

  private warnOf(strange: FoundTenants['strange']): void {
    const unnamed = strange.filter(
      ({ schema }) =>
        !this.warned.has(schema) &&
        this.parts.inUse.onSchema({ ...this.parts.settings, schema }) === undefined,
    );
    for (const { schema, owner } of unnamed.slice(0, MAX_LOGGED)) {
      this.logger.warn(
        `Schema "${schema}" is not served: it was found by discovery and belongs to the login "${owner}", whose code would ` +
          'run with the rights of this one. If that is a tenant of yours, add it by name, or make this login the owner.',
      );
    }
    for (const { schema } of unnamed) this.warned.add(schema);
  }

  private async removeGone(marked: ReadonlySet<string>): Promise<void> {
    const { group, runtime, remove } = this.parts;
    // Of `public` nothing is read above.
    const missing = runtime().filter(
      ({ group: own, tenant: { schema } }) =>
        own === group && schema !== 'public' && !marked.has(schema),
    );
    if (missing.length === 0) return;
    const existing = await existingSchemas(
      group.pools.general,
      missing.map(({ tenant }) => tenant.schema),
    );
    for (const { tenant } of missing) {
      // The schema is there and can't be used: recovery reports it, and its owner may put it right.
      if (existing.has(tenant.schema)) continue;
      this.logger.warn(
        `Tenant "${tenant.name}": its schema "${tenant.schema}" was dropped; this process no longer serves the tenant.`,
      );
      await remove(tenant.name).catch(() => undefined);
    }
  }

  /** A name that was given to it after it was found here. */
  private async removeRenamed(found: readonly MarkedSchema[]): Promise<void> {
    const names = new Map(found.map(({ schema, tenant }) => [schema, tenant]));
    for (const { tenant, group, isDiscovered } of this.parts.runtime()) {
      const name = names.get(tenant.schema);
      if (!isDiscovered || group !== this.parts.group || name === undefined) continue;
      if (name !== tenant.name) await this.parts.remove(tenant.name).catch(() => undefined);
    }
  }

  private async openNew(found: readonly MarkedSchema[]): Promise<void> {
    const now = this.clock.now();
    const wanted = found.filter(
      ({ schema }) =>
        !this.removed.has(schema) &&
        this.parts.inUse.onSchema({ ...this.parts.settings, schema }) === undefined &&
        (this.pauses.get(schema)?.retryAt ?? 0) <= now,
    );
    const news: string[] = [];
    await Promise.all(
      wanted.map(async (place) => {
        try {
          if (await this.parts.open(place)) this.pauses.delete(place.schema);
          else this.pause(place.schema, false);
        } catch (error) {
          if (this.stopped || error instanceof NotAllowedError) return;
          const message = this.failed(place, error);
          if (message !== undefined) news.push(message);
        }
      }),
    );
    for (const message of news.slice(0, MAX_LOGGED)) this.logger.error(message);
    if (news.length > MAX_LOGGED) {
      this.logger.error(`${news.length - MAX_LOGGED} more discovered tenants could not be opened.`);
    }
  }

  /** What to log: nothing of a tenant that failed before. */
  private failed({ schema, tenant }: MarkedSchema, error: unknown): string | undefined {
    const isNews = this.pauses.get(schema)?.hasFailed !== true;
    this.pause(schema, true);
    if (!isNews) return undefined;
    return `Tenant "${tenant}" was discovered and could not be opened, which will be tried again: ${messageWithoutSecrets(error)}`;
  }

  private pause(schema: string, hasFailed: boolean): void {
    const before = this.pauses.get(schema);
    const pauseMs = Math.min(before === undefined ? RETRY_MS : before.pauseMs * 2, MAX_RETRY_MS);
    this.pauses.set(schema, { retryAt: this.clock.now() + pauseMs, pauseMs, hasFailed });
  }

  private plan(): void {
    this.timer = this.clock.timer(
      () =>
        void this.lookOnce()
          .catch(() => undefined)
          .finally(() => {
            if (!this.stopped) this.plan();
          }),
      LOOK_INTERVAL_MS * (0.75 + this.clock.random() / 2),
    );
  }
}
