import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Subject, type Subscription } from 'rxjs';
import type { Clock, Timer } from '../runtime/clock.js';
import { onMoveOf } from '../tenants/hosting/move-listeners.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { DASHBOARD_CLOCK } from './clock.js';
import type { ChangedEvent } from './http-types.js';
import { TenantReads } from './tenant-reads.js';

/** How often changes are looked at, and the time between two events of one tenant, in milliseconds. */
const TICK_MS = 1_000;
const CHANGED_MS = 2_000;
/** How long a tenant is listened to after a page without a stream has asked for it, in milliseconds. */
const ASKED_MS = 120_000;
const MAX_CHANGED = 50;

interface Watched {
  readonly subscription: Subscription;
  /** The number of streams that show the tenant. */
  uses: number;
  /** Until when a page without a stream counts. */
  until: number;
  toldAt: number;
}

/**
 * Listens to the tenants that some page shows, once for all pages: what was read of a tenant no longer counts after a change, and
 * all streams get one event for it. Without pages nothing is listened to.
 */
@Injectable()
export class TenantChanges implements OnModuleDestroy {
  /** The changes of all tenants that are listened to. */
  readonly events = new Subject<ChangedEvent>();
  private readonly watched = new Map<Tenant, Watched>();
  /** The executions that have changed since the last event, by tenant. */
  private readonly changed = new Map<Tenant, Set<string>>();
  private timer: Timer | undefined;

  constructor(
    @Inject(TenantReads) private readonly reads: TenantReads,
    @Inject(DASHBOARD_CLOCK) private readonly clock: Clock,
  ) {}

  onModuleDestroy(): void {
    this.timer?.cancel();
    for (const { subscription } of this.watched.values()) subscription.unsubscribe();
    this.watched.clear();
  }

  /** Listens to tenants until the returned function is called. */
  watch(tenants: readonly Tenant[]): () => void {
    const all = tenants.map((tenant) => this.listen(tenant));
    for (const one of all) one.uses++;
    return () => {
      for (const one of all) one.uses--;
    };
  }

  /** Listens to tenants for a time, for pages without a stream. */
  asked(tenants: readonly Tenant[]): void {
    const until = this.clock.now() + ASKED_MS;
    for (const tenant of tenants) this.listen(tenant).until = until;
  }

  private listen(tenant: Tenant): Watched {
    const known = this.watched.get(tenant);
    if (known !== undefined) return known;
    const subscription = tenant.runner.events$.subscribe({
      next: (event) => this.noted(tenant, 'executionId' in event ? event.executionId : undefined),
      error: () => undefined,
    });
    subscription.add(onMoveOf(tenant, () => this.noted(tenant, undefined)));
    const watched: Watched = { subscription, uses: 0, until: 0, toldAt: -Infinity };
    this.watched.set(tenant, watched);
    this.timer ??= this.clock.interval(() => this.tick(), TICK_MS);
    return watched;
  }

  private noted(tenant: Tenant, id: string | undefined): void {
    const ids = this.changed.get(tenant) ?? new Set<string>();
    this.changed.set(tenant, ids);
    if (id === undefined) return;
    ids.delete(id);
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > MAX_CHANGED && oldest !== undefined) ids.delete(oldest);
  }

  private tick(): void {
    const now = this.clock.now();
    for (const [tenant, ids] of this.changed) {
      const watched = this.watched.get(tenant);
      if (watched !== undefined && now - watched.toldAt < CHANGED_MS) continue;
      this.changed.delete(tenant);
      if (watched === undefined) continue;
      watched.toldAt = now;
      this.reads.forget(tenant.name);
      this.events.next({ tenant: tenant.name, executions: [...ids].toReversed() });
    }
    for (const [tenant, { uses, until, subscription }] of this.watched) {
      if (uses > 0 || until > now) continue;
      subscription.unsubscribe();
      this.watched.delete(tenant);
      this.changed.delete(tenant);
      // From here on no change of it is heard of, so the next page reads it.
      this.reads.forget(tenant.name);
    }
    if (this.watched.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }
}
