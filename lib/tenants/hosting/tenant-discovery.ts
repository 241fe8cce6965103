import { Logger } from '@nestjs/common';
import { messageWithoutSecrets, NotAllowedError } from '../../errors/index.js';
import type { ConnectionGroup } from './connection-group.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { FoundSchemas } from './found-schemas.js';
import type { TenantRuntime } from './tenant-runtime.js';
import {
  existingSchemas,
  findTenants,
  type FoundTenants,
  type MarkedSchema,
} from './tenant-marker.js';
import { schemaKey, type SchemaPlace, type TenantsInUse } from './tenants-in-use.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { untraced } from '../../runtime/untraced.js';

/**
 * Interval between looks at the database, in ms, for lost notifications. Randomized, so that processes look at
 * different times.
 */
const LOOK_INTERVAL_MS = 15_000;
/**
 * Pause before trying again a tenant that could not be opened, or that was declined, in ms. Doubled up to the maximum.
 */
const RETRY_MS = 15_000;
const MAX_RETRY_MS = 600_000;
/** Maximum number of failures to log one by one. The log only counts the rest. */
const MAX_LOGGED = 5;

export interface DiscoveryParts {
  readonly group: ConnectionGroup;
  /** The connection of the login that discovers. */
  readonly settings: ConnectionSource;
  /** The name of the server that is searched. */
  readonly server: string | undefined;
  /** The schemas found on all servers. */
  readonly found: FoundSchemas;
  /** The tenants of this process, including those that are being opened. */
  readonly inUse: Pick<TenantsInUse, 'onSchema'>;
  /** The open tenants of this process. */
  readonly runtime: () => readonly TenantRuntime[];
  /** Opens a found tenant. Returns false if the application declines it. */
  readonly open: (found: MarkedSchema) => Promise<boolean>;
  /** Stops serving a tenant at once. */
  readonly remove: (tenant: string) => Promise<void>;
}

interface Pause {
  /** Time of the process's clock, in milliseconds. */
  readonly retryAt: number;
  readonly pauseMs: number;
  /** Whether opening the tenant failed, which was then logged. Otherwise the application declined it. */
  readonly hasFailed: boolean;
}

/**
 * Serves the tenants that other processes added to the database of one login, and stops serving those whose schema was
 * dropped. It looks after each notification of a new tenant, and at intervals in case a notification was lost. A look is
 * one statement if there is nothing new.
 */
export class TenantDiscovery {
  private readonly logger = new Logger('CloacinaTenants');
  /** Schemas of tenants that the application removed. They are not served again until the application adds them. */
  private readonly removed = new Set<string>();
  /** Schemas to skip for a while: of tenants that failed to open, or that the application declined. */
  private readonly pauses = new Map<string, Pause>();
  /** Schemas of other owners for which the log has a warning. */
  private readonly warned = new Set<string>();
  private timer: Timer | undefined;
  private looking: Promise<void> | undefined;
  private again = false;
  private started = false;
  private stopped = false;
  private readonly clock: Clock;

  constructor(private readonly parts: DiscoveryParts) {
    this.clock = parts.group.clocks.process;
  }

  /** The names of the schemas whose tenants could not be opened. */
  get notOpened(): string[] {
    return [...this.pauses].flatMap(([schema, { hasFailed }]) => (hasFailed ? [schema] : []));
  }

  /** Begins to look at intervals and after notifications. Later calls have no effect. */
  start(): void {
    if (this.started || this.stopped) return;
    this.started = true;
    this.parts.group.onTenants = () => this.lookOnce().catch(() => undefined);
    // Another process may have added a tenant since the boot looked.
    this.parts.group.onTenants();
    this.plan();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.parts.group.onTenants = () => undefined;
  }

  /** Notes that the application removed the tenant. */
  forget(place: SchemaPlace): void {
    if (this.isHere(place)) this.removed.add(place.schema);
  }

  /** Notes that the application added the tenant. */
  want(place: SchemaPlace): void {
    if (!this.isHere(place)) return;
    this.removed.delete(place.schema);
    this.pauses.delete(place.schema);
  }

  /** Looks at once, and tries these schemas again that it could not open before. Rejects if the database can't be read. */
  async retry(schemas: ReadonlySet<string>): Promise<void> {
    for (const schema of schemas) this.pauses.delete(schema);
    if (this.started && !this.stopped) await this.lookOnce();
  }

  /** Logs that a found tenant could not be served. */
  report(place: MarkedSchema, error: unknown): void {
    const message = this.failed(place, error);
    if (message !== undefined) this.logger.error(message);
  }

  /** Whether the schema is in the database that is searched. */
  isHere(place: SchemaPlace): boolean {
    return schemaKey(place) === schemaKey({ ...this.parts.settings, schema: place.schema });
  }

  /** Looks through the database once. A call during a look makes it look once more afterwards. */
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
    const { tenants: found, strange } = await untraced(() =>
      findTenants(this.parts.group.pools.general),
    );
    if (this.stopped) return;
    this.warnOf(strange);
    const schemas = new Set(found.map(({ schema }) => schema));
    await this.parts.found.note(this.parts.server, schemas);
    this.forgetGone(schemas);
    await this.removeGone(schemas);
    await this.removeRenamed(found);
    await this.openNew(found);
  }

  /** One that comes back under the name of a dropped one is another tenant. */
  private forgetGone(schemas: ReadonlySet<string>): void {
    for (const known of [this.removed, this.pauses]) {
      for (const schema of known.keys()) if (!schemas.has(schema)) known.delete(schema);
    }
  }

  private warnOf(strange: FoundTenants['strange']): void {
    const unnamed = strange.filter(
      ({ schema }) =>
        !this.warned.has(schema) &&
        this.parts.inUse.onSchema({ ...this.parts.settings, schema }) === undefined,
    );
    for (const { schema, owner } of unnamed.slice(0, MAX_LOGGED)) {
      this.logger.warn(
        `Schema "${schema}" is not served: discovery found it, but it belongs to the login "${owner}", whose code would ` +
          'run with the rights of this login. If it is a tenant of yours, add it by name, or make this login its owner.',
      );
    }
    for (const { schema } of unnamed) this.warned.add(schema);
  }

  private async removeGone(marked: ReadonlySet<string>): Promise<void> {
    const { group, runtime, remove } = this.parts;
    // findTenants() leaves out `public`. The schema of a tenant that waits for this server may not be made yet.
    const missing = runtime().filter(
      ({ group: own, tenant: { schema }, arrival }) =>
        own === group && schema !== 'public' && !marked.has(schema) && arrival?.isAway !== true,
    );
    if (missing.length === 0) return;
    const names = missing.map(({ tenant }) => tenant.schema);
    const existing = await untraced(() => existingSchemas(group.pools.general, names));
    for (const served of missing) {
      const { tenant } = served;
      // The schema exists but can't be used. Recovery reports that, and its owner can repair it.
      if (existing.has(tenant.schema)) continue;
      // The source of a move may be dropped when this process has not followed the tenant yet.
      await served.moves?.look();
      if (served.group !== group) continue;
      this.logger.warn(
        `Tenant "${tenant.name}": its schema "${tenant.schema}" was dropped; this process no longer serves the tenant.`,
      );
      await remove(tenant.name).catch(() => undefined);
    }
  }

  /**
   * Stops serving tenants whose name has changed since discovery found them; the next step opens them by the new name.
   */
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
          if (await this.arrives(place)) return;
          this.parts.found.refuseDuplicate(this.parts.server, place.schema);
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

  /** Whether a tenant that this process serves on another server has moved here. The process follows it then. */
  private async arrives({ schema }: MarkedSchema): Promise<boolean> {
    const { server, runtime, group } = this.parts;
    if (server === undefined) return false;
    const elsewhere = runtime().find(
      ({ tenant, options }) => tenant.schema === schema && options.server !== undefined,
    );
    await elsewhere?.moves?.look();
    return elsewhere?.group === group || elsewhere?.options.server === server;
  }

  /** Pauses the tenant. Returns the message to log; undefined if the tenant has failed before. */
  private failed({ schema, tenant }: MarkedSchema, error: unknown): string | undefined {
    const isNews = this.pauses.get(schema)?.hasFailed !== true;
    this.pause(schema, true);
    if (!isNews) return undefined;
    return `Tenant "${tenant}" was discovered but could not be opened; it will be tried again: ${messageWithoutSecrets(error)}`;
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
