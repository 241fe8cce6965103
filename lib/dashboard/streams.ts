import { Inject, Injectable, type MessageEvent, type OnModuleDestroy } from '@nestjs/common';
import { Observable, share, Subject, type Subscription } from 'rxjs';
import { systemClock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import type { ChangedEvent, Overview } from './http-types.js';
import { Overviews } from './overviews.js';

/** The time between two events of a kind, and the longest silence, in milliseconds. */
const TICK_MS = 1_000;
const PING_MS = 15_000;
/** How often the numbers of a tenant at work are read for a stream, in milliseconds. */
const CHANGED_MS = 2_000;
const MAX_CHANGED = 50;

/** The streams of pages. All pages that show the same tenants share one; without pages nothing is read. */
@Injectable()
export class DashboardStreams implements OnModuleDestroy {
  /** Ends all streams: a server closes only when its responses have ended. */
  readonly closing = new Subject<void>();
  private readonly streams = new Map<string, Observable<MessageEvent>>();

  constructor(@Inject(Overviews) private readonly overviews: Overviews) {}

  onModuleDestroy(): void {
    this.closing.next();
  }

  /** Overviews whenever they change, and what changes. */
  of(tenants: readonly Tenant[]): Observable<MessageEvent> {
    const key = JSON.stringify(tenants.map(({ name }) => name));
    const known = this.streams.get(key);
    if (known !== undefined) return known;
    let latest: MessageEvent | undefined;
    const shared = new Observable<MessageEvent>((subscriber) => {
      const source = new StreamSource(tenants, this.overviews, (event) => {
        if (event.type === 'overview') latest = event;
        subscriber.next(event);
      });
      return () => {
        source.close();
        this.streams.delete(key);
      };
    }).pipe(share());
    // A page that joins others begins with what these have.
    const stream = new Observable<MessageEvent>((subscriber) => {
      if (latest !== undefined) subscriber.next(latest);
      return shared.subscribe(subscriber);
    });
    this.streams.set(key, stream);
    return stream;
  }
}

/** Makes the events of one stream. */
class StreamSource {
  private readonly subscriptions: Subscription[];
  private readonly changes = new Map<string, Set<string>>();
  private readonly toldAt = new Map<string, number>();
  private readonly timer;
  private last = '';
  private sentAt = systemClock.now();
  private isReading = false;

  constructor(
    private readonly tenants: readonly Tenant[],
    private readonly overviews: Overviews,
    private readonly send: (event: MessageEvent) => void,
  ) {
    this.subscriptions = tenants.map(({ name, runner }) =>
      runner.events$.subscribe({
        next: (event) => this.changed(name, 'executionId' in event ? event.executionId : undefined),
        error: () => undefined,
      }),
    );
    this.timer = systemClock.interval(() => void this.tick(), TICK_MS);
    void this.tick();
  }

  close(): void {
    this.timer.cancel();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  private changed(tenant: string, id: string | undefined): void {
    const ids = this.changes.get(tenant) ?? new Set<string>();
    this.changes.set(tenant, ids);
    if (id === undefined) return;
    ids.delete(id);
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > MAX_CHANGED && oldest !== undefined) ids.delete(oldest);
  }

  private async tick(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      this.sendChanges();
      const overview = await this.overviews.overview(this.tenants);
      this.sendOverview(overview);
      if (systemClock.now() - this.sentAt >= PING_MS) this.emit('ping', {});
    } finally {
      this.isReading = false;
    }
  }

  private sendChanges(): void {
    const now = systemClock.now();
    for (const [tenant, ids] of this.changes) {
      const toldAt = this.toldAt.get(tenant) ?? -Infinity;
      if (now - toldAt < CHANGED_MS) continue;
      this.toldAt.set(tenant, now);
      this.changes.delete(tenant);
      this.overviews.changed(tenant);
      const event: ChangedEvent = { tenant, executions: [...ids].toReversed() };
      this.emit('changed', event);
    }
  }

  private sendOverview(overview: Overview): void {
    // The time at which numbers were read is no change of the numbers.
    const { at: _, busiest, ...rest } = overview;
    const numbers = JSON.stringify([rest, busiest.map(({ asOf: _asOf, ...tenant }) => tenant)]);
    if (numbers === this.last) return;
    this.last = numbers;
    this.emit('overview', overview);
  }

  private emit(type: string, data: object): void {
    this.sentAt = systemClock.now();
    this.send({ type, data });
  }
}
