import { describe, expect, it } from '@jest/globals';
import type { TenantOverview } from '../../../lib/dashboard/http-types.js';
import { sightKey, withMove } from '../../../lib/dashboard/tenant-moves.js';
import type { CurrentMove } from '../../../lib/tenants/hosting/current-move.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';

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

  it('is told by streams of their own to users who may see all tenants', () => {
    const keys = [true, false].map((seesAll) => sightKey({ tenants: [acme], seesAll }));
    expect(keys[0]).not.toBe(keys[1]);
  });
});
