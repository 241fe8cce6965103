import { Inject, Injectable, type MessageEvent, type OnModuleDestroy } from '@nestjs/common';
import { finalize, Observable, ReplaySubject, share, shareReplay, takeUntil } from 'rxjs';
import type { CloacinaRunner } from '../runner/cloacina-runner.js';
import type { ExecutionUpdate } from '../runner/execution.js';
import type { Clock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { DASHBOARD_CLOCK } from './clock.js';
import { DASHBOARD_OPTIONS, type CheckedDashboardOptions } from './dashboard-options.js';
import type { Overview } from './http-types.js';
import { Overviews } from './overviews.js';
import { tooManyStreams } from './problem.js';
import { streamOf } from './stream-access.js';
import { TenantChanges } from './tenant-changes.js';
import { sightKey, type Sight } from './tenant-moves.js';

/** The time between two events of a kind, and the longest silence, in milliseconds. */
const TICK_MS = 1_000;
const PING_MS = 15_000;

/** The streams of pages. All pages that show the same tenants share one; without pages nothing is read. */
@Injectable()
export class DashboardStreams implements OnModuleDestroy {
  /** Ends all streams, also those of pages that connect again: a server closes only when its responses have ended. */
  private readonly closing = new ReplaySubject<void>(1);
  private readonly streams = new Map<string, Observable<MessageEvent>>();
  private readonly executions = new Map<
    string,
    { readonly runner: CloacinaRunner; readonly stream: Observable<MessageEvent> }
  >();
  private open = 0;

  constructor(
    @Inject(Overviews) private readonly overviews: Overviews,
    @Inject(TenantChanges) private readonly changes: TenantChanges,
    @Inject(DASHBOARD_CLOCK) private readonly clock: Clock,
    @Inject(DASHBOARD_OPTIONS) private readonly options: CheckedDashboardOptions,
  ) {}

  onModuleDestroy(): void {
    this.closing.next();
  }

  /**
   * Counts a stream of a connection until it ends.
   *
   * @throws DashboardProblem (503) if there are as many as the option `maxStreams` allows
   */
  admit(stream: Observable<MessageEvent>): Observable<MessageEvent> {
    if (this.open >= this.options.maxStreams) throw tooManyStreams();
    return new Observable<MessageEvent>((subscriber) => {
      this.open++;
      return stream
        .pipe(
          takeUntil(this.closing),
          finalize(() => this.open--),
        )
        .subscribe(subscriber);
    });
  }

  /** The changes of one execution. All pages that show it share a stream. */
  execution(
    { name, runner }: Tenant,
    id: string,
    eventOf: (update: ExecutionUpdate) => MessageEvent,
  ): Observable<MessageEvent> {
    const key = JSON.stringify([name, id]);
    const known = this.executions.get(key);
    if (known?.runner === runner) return known.stream;
    const stream = streamOf((signal) => runner.watch(id, { signal }), eventOf).pipe(
      finalize(() => {
        if (this.executions.get(key)?.stream === stream) this.executions.delete(key);
      }),
      // Each update is the whole state, so a page that joins others begins with the last one.
      shareReplay({ bufferSize: 1, refCount: true }),
    );
    this.executions.set(key, { runner, stream });
    return stream;
  }

  /** Overviews whenever they change, and what changes. */
  of(sight: Sight): Observable<MessageEvent> {
    const key = sightKey(sight);
    const known = this.streams.get(key);
    if (known !== undefined) return known;
    let latest: MessageEvent | undefined;
    const shared = new Observable<MessageEvent>((subscriber) => {
      const parts = { overviews: this.overviews, changes: this.changes, clock: this.clock };
      const source = new StreamSource(sight, parts, (event) => {
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

interface SourceParts {
  readonly overviews: Overviews;
  readonly changes: TenantChanges;
  readonly clock: Clock;
}

/** Makes the events of one stream. The tenants are listened to and read for all streams together. */
class StreamSource {
  private readonly names: ReadonlySet<string>;
  private readonly release: () => void;
  private readonly subscription;
  private readonly timer;
  private last = '';
  private seen = '';
  private sentAt: number;
  private isReading = false;

  constructor(
    private readonly sight: Sight,
    private readonly parts: SourceParts,
    private readonly send: (event: MessageEvent) => void,
  ) {
    const { changes, clock } = parts;
    const { tenants } = sight;
    this.names = new Set(tenants.map(({ name }) => name));
    this.sentAt = clock.now();
    this.release = changes.watch(tenants);
    this.subscription = changes.events.subscribe((event) => {
      if (this.names.has(event.tenant)) this.emit('changed', event);
    });
    this.timer = clock.interval(() => void this.tick(), TICK_MS);
    void this.tick();
  }

  close(): void {
    this.timer.cancel();
    this.subscription.unsubscribe();
    this.release();
  }

  private async tick(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    const { overviews, clock } = this.parts;
    try {
      overviews.refresh(this.sight.tenants);
      // Nothing is added up while all numbers are those of the last time.
      const { version } = overviews;
      if (version !== this.seen) {
        this.seen = version;
        this.sendOverview(await overviews.overview(this.sight));
      }
      if (clock.now() - this.sentAt >= PING_MS) this.emit('ping', {});
    } finally {
      this.isReading = false;
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
    this.sentAt = this.parts.clock.now();
    this.send({ type, data });
  }
}
