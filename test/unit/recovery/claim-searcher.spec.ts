import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClaimSearcher } from '../../../lib/recovery/claim-searcher.js';
import { TenantRecovery, type RecoverableTenant } from '../../../lib/recovery/tenant-recovery.js';
import type { ClaimSearch, ClaimSearchPosition } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import {
  MemoryDatabase,
  MemorySession,
  MemoryStore,
} from '../../../lib/testing/memory-store/index.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';

let database: MemoryDatabase;
let session: MemorySession;
let searcher: ClaimSearcher;
let found: TenantRecovery[];
let logged: string[];

beforeEach(() => {
  database = new MemoryDatabase(new ManualClock());
  session = new MemorySession(database);
  found = [];
  searcher = new ClaimSearcher((tenant) => found.push(tenant));
  logged = [];
  for (const level of ['warn', 'error'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation((text) => void logged.push(text));
  }
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** A tenant with an execution under way, whose search has this number of pages. */
async function tenantOf(
  name: string,
  { pages = 1, relisted = 0, fails = false, enableRecovery = true } = {},
): Promise<{ tenant: TenantRecovery; read: number[] }> {
  const store = new MemoryStore(database, name);
  await store.start([startOf(parallel(1))], noLease(), false);
  const read: number[] = [];
  jest
    .spyOn(store.recovery, 'relistClaims')
    .mockImplementation(async (after?: ClaimSearchPosition): Promise<ClaimSearch> => {
      if (fails) throw new Error('no such table');
      const page = Number(after?.id ?? 0) + 1;
      read.push(page);
      const last = page < pages ? { status: '', createdAt: '', id: String(page) } : undefined;
      return { relisted: page === pages ? relisted : 0, last };
    });
  const parts = { tenant: name, store, enableRecovery } as unknown as RecoverableTenant;
  return { tenant: new TenantRecovery(parts), read };
}

/** Lets a search beside the rounds end. */
async function ended(): Promise<void> {
  for (let turns = 0; turns < 200; turns++) await Promise.resolve();
}

async function rounds(count: number, ...tenants: readonly TenantRecovery[]): Promise<void> {
  for (let i = 0; i < count; i++) {
    searcher.round(session, tenants);
    await ended();
  }
}

describe('A search for claims', () => {
  it('is made once in twenty rounds', async () => {
    const { tenant, read } = await tenantOf('a');
    await rounds(19, tenant);
    expect(read).toEqual([]);
    await rounds(1, tenant);
    expect(read).toEqual([1]);
    await rounds(20, tenant);
    expect(read).toEqual([1, 1]);
  });

  it('reads a bounded number of pages at once, and goes on behind them', async () => {
    const { tenant, read } = await tenantOf('a', { pages: 3 });
    await rounds(20, tenant);
    expect(read).toEqual([1, 2]);
    await rounds(20, tenant);
    expect(read.slice(2)).toEqual([3]);
    await rounds(20, tenant);
    expect(read.slice(3)).toEqual([1, 2]);
  });

  it('reads all pages at boot and on request', async () => {
    const { tenant, read } = await tenantOf('a', { pages: 25 });
    await searcher.searchAll(session, [tenant]);
    expect(read).toHaveLength(25);
  });

  it('has a tenant looked at that had such claims, with a word in the log', async () => {
    const [some, none] = [await tenantOf('a', { pages: 2, relisted: 3 }), await tenantOf('b')];
    await searcher.searchAll(session, [some.tenant, none.tenant]);
    expect(found).toEqual([some.tenant]);
    expect(logged).toEqual([expect.stringMatching(/^Tenant "a": 3 running tasks were in no list/)]);
  });

  it('leaves out tenants without recovery, tenants without work, and those that are removed', async () => {
    const off = await tenantOf('a', { enableRecovery: false });
    const removed = await tenantOf('b');
    removed.tenant.stop();
    const idle = await tenantOf('c');
    database.tables('c').executions.clear();
    await searcher.searchAll(session, [off.tenant, removed.tenant, idle.tenant]);
    expect([...off.read, ...removed.read, ...idle.read]).toEqual([]);
  });

  it('goes on with the next tenant after a failure, which it reports once', async () => {
    const [broken, next] = [await tenantOf('a', { fails: true }), await tenantOf('b')];
    await searcher.searchAll(session, [broken.tenant, next.tenant]);
    await searcher.searchAll(session, [broken.tenant, next.tenant]);
    expect(next.read).toEqual([1, 1]);
    expect(logged).toEqual([expect.stringMatching(/^Tenant "a": the search .*no such table/)]);
  });
});
