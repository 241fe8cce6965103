import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Subject } from 'rxjs';
import { Overviews } from '../../../lib/dashboard/overviews.js';
import { TenantChanges } from '../../../lib/dashboard/tenant-changes.js';
import { TenantMoves } from '../../../lib/dashboard/tenant-moves.js';
import { TenantReads } from '../../../lib/dashboard/tenant-reads.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';

afterEach(() => void jest.restoreAllMocks());

it('the log says once why a tenant can not be read, without secrets', async () => {
  const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  const counts = async (): Promise<never> => {
    throw new Error('no route to postgres://ann:hunter2@db/app');
  };
  const events$ = new Subject();
  const runner = { events$, statistics: { counts } };
  const acme = { name: 'acme', server: 'eu', runner } as unknown as Tenant;
  const reads = new TenantReads(systemClock);
  const changes = new TenantChanges(reads, systemClock);
  const moves = new TenantMoves(
    reads,
    { currentMove: async () => null, leftCopies: async () => [] },
    systemClock,
  );
  const overviews = new Overviews(reads, changes, systemClock, moves);
  for (let no = 0; no < 2; no++) {
    const { busiest, inTrouble } = await overviews.overview({ tenants: [acme], seesAll: true });
    expect([busiest[0]?.problem, inTrouble]).toEqual([expect.stringContaining('See the log'), 1]);
    expect(busiest[0]?.server).toBe('eu');
    overviews.changed('acme');
  }
  changes.onModuleDestroy();
  expect(logged.mock.calls).toEqual([
    [expect.stringMatching(/^Tenant "acme" could not be read: no route/)],
  ]);
  expect(String(logged.mock.calls)).not.toContain('hunter2');
});
