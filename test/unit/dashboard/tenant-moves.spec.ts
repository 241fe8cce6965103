import { describe, expect, it } from '@jest/globals';
import type { TenantOverview } from '../../../lib/dashboard/http-types.js';
import {
  sightKey,
  TenantMoves,
  withCopies,
  withMove,
} from '../../../lib/dashboard/tenant-moves.js';
import { TenantReads } from '../../../lib/dashboard/tenant-reads.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { CurrentMove } from '../../../lib/tenants/hosting/current-move.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import { gate } from '../../support/gate.js';

const acme = { name: 'acme', server: 'eu' } as Tenant;
const globex = { name: 'globex', server: 'us' } as Tenant;
const OVERVIEW: TenantOverview = {
  tenant: 'acme',
  server: 'eu',
  pausedWorkflows: 0,
  asOf: '2030-01-01T00:00:00.000Z',
};
const SINCE = new Date('2020-01-01T00:00:00Z');

function moveIn(state: CurrentMove['state'], isInterrupted = false): CurrentMove {
  return { state, peer: 'us', since: SINCE, isInterrupted };
}

describe('the move of a tenant in its overview', () => {
  it.each<[string, readonly Tenant[], boolean, string | undefined]>([
    ['a user of the tenant alone', [acme], false, undefined],
    ['a user of a tenant there', [acme, globex], false, 'us'],
    ['a user of all tenants, none of which is there', [acme], true, 'us'],
  ])('names the other server for %s', (_, tenants, seesAll, peer) => {
    for (const isInterrupted of [false, true]) {
      const move = moveIn('copying', isInterrupted);
      const overview = withMove(OVERVIEW, move, { tenants, seesAll });
      expect(overview.move?.peer).toBe(peer);
      const { problem = '' } = overview;
      expect(problem.includes('us"')).toBe(isInterrupted && peer !== undefined);
      if (peer === undefined) expect(JSON.stringify(overview)).not.toMatch(/\bus\b/);
    }
  });

  it('is a problem with a way out if it was interrupted', () => {
    const sight = { tenants: [acme], seesAll: true };
    const problemOf = (move: CurrentMove): string | undefined =>
      withMove(OVERVIEW, move, sight).problem;
    expect(problemOf(moveIn('copying'))).toBeUndefined();
    expect(problemOf(moveIn('stopping'))).toBeUndefined();
    expect(problemOf(moveIn('copying', true))).toMatch(/"us" was interrupted.* Move it again/);
    expect(problemOf(moveIn('stopping', true))).toMatch(/stands still\. Its processes undo/);
    expect(problemOf(moveIn('moved'))).toMatch(/moved to server "us", where this process does not/);
    // It has just moved, and the process follows.
    expect(problemOf({ ...moveIn('moved'), since: new Date() })).toBeUndefined();
    const trouble = { ...OVERVIEW, problem: 'No process serves the tenant.' };
    expect(withMove(trouble, moveIn('copying'), sight).problem).toBe(trouble.problem);
    expect(withMove(OVERVIEW, undefined, sight)).toBe(OVERVIEW);
  });

  it('is followed by the copies that it has left, for users who may see their servers', () => {
    const on = ['us', 'ap'];
    const sees = (tenants: readonly Tenant[], seesAll: boolean) =>
      withCopies(OVERVIEW, on, { tenants, seesAll });
    expect(sees([acme], true).leftOn).toEqual(on);
    expect(sees([acme, globex], false).leftOn).toEqual(['us']);
    expect(sees([acme], false)).toBe(OVERVIEW);
    expect(withCopies(OVERVIEW, undefined, { tenants: [acme], seesAll: true })).toBe(OVERVIEW);
  });

  it('is told by streams of their own to users who may see all tenants', () => {
    const keys = [true, false].map((seesAll) => sightKey({ tenants: [acme], seesAll }));
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe('the copies that moves have left', () => {
  it('are read once a minute for all pages, and not without servers', async () => {
    const clock = new ManualClock();
    let reads = 0;
    const leftCopies = async () => {
      reads++;
      return [{ tenant: 'acme', server: 'us', since: SINCE }];
    };
    const served = { currentMove: async () => null, leftCopies };
    const moves = new TenantMoves(new TenantReads(clock), served, clock);
    expect([...(await moves.copiesOf([{ name: 'plain' } as Tenant], 100))]).toEqual([]);
    expect(reads).toBe(0);
    const known = await Promise.all([moves.copiesOf([acme], 100), moves.copiesOf([globex], 100)]);
    for (const copies of known) expect([...copies]).toEqual([['acme', ['us']]]);
    expect(reads).toBe(1);
    await clock.advance(60_000);
    await moves.copiesOf([acme], 100);
    expect(reads).toBe(2);
  });

  it('keep no page waiting, and are those of before if no server answers', async () => {
    const clock = new ManualClock();
    const slow = gate();
    const left = [{ tenant: 'acme', server: 'us', since: SINCE }];
    let leftCopies = async () => {
      await slow.passed;
      return left;
    };
    const served = { currentMove: async () => null, leftCopies: () => leftCopies() };
    const moves = new TenantMoves(new TenantReads(clock), served, clock);
    const early = moves.copiesOf([acme], 100);
    await clock.advance(100);
    expect([...(await early)]).toEqual([]);
    const before = moves.version;
    slow.open();
    expect([...(await moves.copiesOf([acme], 100))]).toEqual([['acme', ['us']]]);
    // So streams tell pages that have not waited.
    expect(moves.version).toBeGreaterThan(before);
    leftCopies = () => Promise.reject(new Error('away'));
    await clock.advance(60_000);
    expect([...(await moves.copiesOf([acme], 100))]).toEqual([['acme', ['us']]]);
  });

  it('are read when a move has ended', async () => {
    const clock = new ManualClock();
    let move: CurrentMove | null = moveIn('copying');
    let copies: { tenant: string; server: string; since: Date }[] = [];
    const served = { currentMove: async () => move, leftCopies: async () => copies };
    const moves = new TenantMoves(new TenantReads(clock), served, clock);
    await moves.of([acme], 100);
    expect([...(await moves.copiesOf([acme], 100))]).toEqual([]);
    move = null;
    copies = [{ tenant: 'acme', server: 'us', since: SINCE }];
    await clock.advance(10_000);
    await moves.of([acme], 100);
    expect([...(await moves.copiesOf([acme], 100))]).toEqual([['acme', ['us']]]);
  });
});
