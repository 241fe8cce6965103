import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MessageEvent } from '@nestjs/common';
import { Subject, type Subscription } from 'rxjs';
import { checkDashboardOptions } from '../../../lib/dashboard/dashboard-options.js';
import { Overviews } from '../../../lib/dashboard/overviews.js';
import { DashboardStreams } from '../../../lib/dashboard/streams.js';
import { TenantChanges } from '../../../lib/dashboard/tenant-changes.js';
import { TenantMoves } from '../../../lib/dashboard/tenant-moves.js';
import { TenantReads } from '../../../lib/dashboard/tenant-reads.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const NONE = { count: 0, isCapped: false };
const SECOND = 1_000;

/** A tenant that counts how often it is read, and has one execution that waits. */
class CountedTenant {
  reads = 0;
  failed = 0;
  readonly events$ = new Subject<object>();

  readonly tenant: Tenant;

  constructor(readonly name: string) {
    this.tenant = this.create();
  }

  private create(): Tenant {
    const byStatus = () => ({
      Pending: NONE,
      Paused: NONE,
      Finishing: NONE,
      Completed: NONE,
      Cancelled: NONE,
      Running: { count: 1, isCapped: false },
      Failed: { count: this.failed, isCapped: false },
    });
    const statistics = {
      counts: async () => {
        this.reads++;
        return { byStatus: byStatus() };
      },
      series: async () => ({ bucketMs: 60_000, buckets: [] }),
    };
    const runner = {
      statistics,
      events$: this.events$,
      pausedWorkflows: async () => [],
      processes: async () => [],
    };
    const recovery = { stats: async () => ({ recovered: 0, abandoned: 0 }) };
    return { name: this.name, runner, recovery } as unknown as Tenant;
  }

  fail(executionId: string): void {
    this.failed++;
    this.events$.next({ type: 'execution.ended', executionId });
  }
}

describe('the streams of open pages', () => {
  let clock: ManualClock;
  let streams: DashboardStreams;
  let pages: Subscription[];
  beforeEach(() => {
    clock = new ManualClock();
    const reads = new TenantReads(clock);
    const changes = new TenantChanges(reads, clock);
    const options = checkDashboardOptions({ maxStreams: 2 }, false);
    const moves = new TenantMoves(
      reads,
      { currentMove: async () => null, leftCopies: async () => [] },
      clock,
    );
    const overviews = new Overviews(reads, changes, clock, moves);
    streams = new DashboardStreams(overviews, changes, clock, options);
    pages = [];
  });
  afterEach(() => {
    for (const page of pages) page.unsubscribe();
    // Neither timers nor subscriptions are left once all pages are closed.
    return clock.advance(180 * SECOND).then(() => expect(clock.waiting).toBe(0));
  });

  function open(tenants: readonly Tenant[]): MessageEvent[] {
    const events: MessageEvent[] = [];
    pages.push(streams.of({ tenants, seesAll: false }).subscribe((event) => events.push(event)));
    return events;
  }

  const of = (events: readonly MessageEvent[], type: string) =>
    events.filter((event) => event.type === type).map(({ data }) => data as never);

  it('read a tenant where nothing happens less and less, though an execution waits', async () => {
    const acme = new CountedTenant('acme');
    open([acme.tenant]);
    await clock.advance(75 * SECOND);
    const { reads } = acme;
    await clock.advance(600 * SECOND);
    expect(acme.reads - reads).toBe(10);
  });

  it('cost as much as one page, whatever tenants each of them shows', async () => {
    const all = ['acme', 'globex', 'initech'].map((name) => new CountedTenant(name));
    const [acme, globex, initech] = all.map(({ tenant }) => tenant);
    const sets = [[acme!], [acme!, globex!], [globex!, initech!], [acme!, globex!, initech!]];
    const events = sets.map((set) => open(set));
    await clock.advance(SECOND);
    expect(all.map(({ reads }) => reads)).toEqual([1, 1, 1]);
    all[0]!.fail('1');
    all[0]!.fail('2');
    await clock.advance(3 * SECOND);
    expect(all.map(({ reads }) => reads)).toEqual([2, 1, 1]);
    const told = { tenant: 'acme', executions: ['2', '1'] };
    expect(events.map((one) => of(one, 'changed'))).toEqual([[told], [told], [], [told]]);
    const failed = events.map(
      (one) => (of(one, 'overview').at(-1)! as { counts: { Failed: object } }).counts.Failed,
    );
    expect(failed).toEqual([2, 2, 0, 2].map((count) => ({ count, isCapped: false })));
  });

  it('tell of a tenant that changes all the time every two seconds', async () => {
    const acme = new CountedTenant('acme');
    const events = open([acme.tenant]);
    await clock.advance(3 * SECOND);
    for (let no = 0; no < 200; no++) {
      acme.fail(String(no));
      await clock.advance(100);
    }
    expect(of(events, 'changed').length).toBeLessThanOrEqual(11);
    expect(acme.reads).toBeLessThanOrEqual(12);
  });

  it('show nothing of a former tenant of the name', async () => {
    const former = new CountedTenant('acme');
    former.fail('1');
    open([former.tenant]);
    await clock.advance(SECOND);
    const events = open([new CountedTenant('acme').tenant]);
    await clock.advance(SECOND);
    const shown = of(events, 'overview').at(-1)! as { counts: { Failed: object } };
    expect(shown.counts.Failed).toEqual(NONE);
    pages[0]!.unsubscribe();
    await clock.advance(130 * SECOND);
    expect(former.events$.observed).toBe(false);
  });

  it('end at the shutdown, and those that connect again end at once', () => {
    const acme = new CountedTenant('acme').tenant;
    const ended: string[] = [];
    const connect = (name: string) =>
      pages.push(
        streams
          .admit(streams.of({ tenants: [acme], seesAll: false }))
          .subscribe({ complete: () => ended.push(name) }),
      );
    connect('page');
    expect(ended).toEqual([]);
    streams.onModuleDestroy();
    connect('page again');
    expect(ended).toEqual(['page', 'page again']);
  });

  it('are limited', async () => {
    const acme = new CountedTenant('acme').tenant;
    const admitted = () =>
      streams.admit(streams.of({ tenants: [acme], seesAll: false })).subscribe();
    pages.push(admitted(), admitted());
    expect(() => admitted()).toThrow(expect.objectContaining({ code: 'TOO_MANY_STREAMS' }));
    pages[0]!.unsubscribe();
    pages.push(admitted());
  });
});

it('a tenant that no page shows any more is read again, because its changes are not heard', async () => {
  const clock = new ManualClock();
  const reads = new TenantReads(clock);
  const changes = new TenantChanges(reads, clock);
  const { tenant } = new CountedTenant('acme');
  let count = 0;
  const of = { key: 'numbers', minAgeMs: 60 * SECOND, read: async () => ++count };
  changes.asked([tenant]);
  await clock.advance(100 * SECOND);
  await reads.one(tenant, of);
  await clock.advance(10 * SECOND);
  expect(await reads.one(tenant, of)).toBe(1);
  await clock.advance(15 * SECOND);
  expect(await reads.one(tenant, of)).toBe(2);
});
