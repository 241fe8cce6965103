import type { Clock } from '../../runtime/clock.js';
import type {
  AnnouncedIdentity,
  Announcement,
  AnnouncingSession,
  ControlSession,
  TenantHandle,
} from '../../store/port/index.js';

/** Age of an announcement at which it is written again, in milliseconds. That deletes those of dead processes too. */
const REFRESH_MS = 3_600_000;
/** The same for a process without a lock: only the age shows others that it lives. */
const REFRESH_WITHOUT_LOCK_MS = 60_000;
/** Pause before the next try in a tenant whose schema is locked or broken, or where the login may not write, in milliseconds. */
const RETRY_MS = 60_000;
/** Time in which changes of many tenants are collected, in milliseconds. */
const COLLECT_MS = 20;

/** A tenant of the pass. */
export interface AnnouncedTenant {
  readonly store: { readonly handle: TenantHandle };
  readonly self: {
    /** What this process serves there. Undefined while it does not serve the tenant, or has no proof of life. */
    readonly announcement: Omit<Announcement, 'tenant'> | undefined;
  };
}

export interface AnnouncePassOptions {
  readonly clock: Clock;
  /** Undefined while the control connection is away. */
  readonly session: () => (AnnouncingSession & ControlSession) | undefined;
  readonly identity: () => AnnouncedIdentity;
  /** All tenants of the process on this login. */
  readonly tenants: () => readonly AnnouncedTenant[];
  readonly named: (names: readonly string[]) => readonly AnnouncedTenant[];
  /** Called when the pass wants a look. */
  readonly plan: () => void;
}

interface Announced extends Omit<Announcement, 'tenant'> {
  readonly lockSession: string | null;
  readonly at: number;
}

/**
 * A pass of the maintenance sweep: stores what this process serves, so that other processes can tell why a task does not run.
 * No claim and no start reads it.
 *
 * It is written when it changes: after a boot, a reconnect, a pause, and at a drain, with one statement for fifty tenants. In
 * a round without a change it sends nothing. A lost announcement costs no more than an explanation that is less exact.
 */
export class AnnouncePass {
  /** What the database has, as far as it is known, by tenant. */
  private readonly announced = new Map<AnnouncedTenant, Announced>();
  private lookAt: number | undefined;
  private isClosed = false;
  private readonly sending = new Set<Promise<unknown>>();

  constructor(private readonly options: AnnouncePassOptions) {}

  get nextLookAt(): number | undefined {
    return this.lookAt;
  }

  /** Call when the state of tenants or their workflows may have changed. */
  changed(): void {
    if (this.lookAt !== undefined) return;
    this.lookAt = this.options.clock.now() + COLLECT_MS;
    this.options.plan();
  }

  async over(names: readonly string[]): Promise<void> {
    await this.announce(this.options.named(names));
  }

  async look(): Promise<void> {
    if (this.lookAt === undefined || this.lookAt > this.options.clock.now()) return;
    this.lookAt = undefined;
    await this.announce(this.options.tenants());
  }

  /** Call when the process no longer serves a tenant, but lives on. The row would say that it drains. */
  async withdraw(tenant: AnnouncedTenant): Promise<void> {
    // One that is stored later would stay.
    await Promise.allSettled(this.sending);
    if (!this.announced.delete(tenant)) return;
    // If it fails, others see the process draining until it stops.
    await this.delete([tenant]).catch(() => undefined);
  }

  /** Call when the tenant has moved to another server. Its former schema takes no writes, and the row there counts for nothing. */
  forget(tenant: AnnouncedTenant): void {
    this.announced.delete(tenant);
  }

  /**
   * Call at the end of the process, while there is a session. Without a lock, only the age of the rows would show others that
   * the process is gone. With a lock, its end shows it, and nothing is sent.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    // One that is stored later would stay.
    await Promise.allSettled(this.sending);
    const stored = [...this.announced].filter(([, { lockSession }]) => lockSession === null);
    this.announced.clear();
    if (stored.length > 0) {
      await this.delete(stored.map(([tenant]) => tenant)).catch(() => undefined);
    }
  }

  private async delete(tenants: readonly AnnouncedTenant[]): Promise<void> {
    const { identity, session } = this.options;
    const handles = tenants.map(({ store }) => store.handle);
    await session()?.withdraw(identity().processId, handles);
  }

  private async announce(tenants: readonly AnnouncedTenant[]): Promise<void> {
    const session = this.options.session();
    if (session === undefined || this.isClosed) return;
    const { lockSession } = session;
    const at = this.options.clock.now();
    const changed = tenants.flatMap((tenant) => {
      const { announcement } = tenant.self;
      if (announcement === undefined) return [];
      const next: Announced = { ...announcement, lockSession, at };
      return isCurrent(this.announced.get(tenant), next) ? [] : [{ tenant, next }];
    });
    if (changed.length === 0) return;
    const sent = this.send(session, changed);
    this.sending.add(sent);
    try {
      await sent;
    } finally {
      this.sending.delete(sent);
    }
  }

  private async send(
    session: AnnouncingSession,
    changed: readonly { readonly tenant: AnnouncedTenant; readonly next: Announced }[],
  ): Promise<void> {
    for (const { tenant, next } of changed) this.announced.set(tenant, next);
    try {
      const stored = await session.announce(
        this.options.identity(),
        changed.map(({ tenant, next }) => ({ tenant: tenant.store.handle, ...next })),
      );
      for (const [i, { tenant, next }] of changed.entries()) {
        if (stored[i] !== undefined) continue;
        const retryAt = next.at - refreshMs(next) + RETRY_MS;
        this.announced.set(tenant, { ...next, at: retryAt });
      }
    } catch (error) {
      // It is sent again. The database may have it, or an earlier one, so it is withdrawn all the same.
      for (const { tenant, next } of changed)
        this.announced.set(tenant, { ...next, at: -Infinity });
      throw error;
    }
  }
}

function refreshMs({ lockSession }: Announced): number {
  return lockSession === null ? REFRESH_WITHOUT_LOCK_MS : REFRESH_MS;
}

function isCurrent(known: Announced | undefined, next: Announced): boolean {
  return (
    known !== undefined &&
    known.state === next.state &&
    known.slots === next.slots &&
    known.lockSession === next.lockSession &&
    known.definitions === next.definitions &&
    next.at - known.at < refreshMs(next)
  );
}
