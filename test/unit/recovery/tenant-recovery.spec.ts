import { expect, it } from '@jest/globals';
import {
  TenantRecovery,
  type DeadInstance,
  type RecoverableTenant,
} from '../../../lib/recovery/tenant-recovery.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';

function tenantOf(): { tenant: TenantRecovery; times: number[] } {
  const store = new MemoryStore(new MemoryDatabase(new ManualClock()), 'a');
  const times: number[] = [];
  store.recovery.takeOrphans = (_, { orphanedForMs }) => {
    times.push(orphanedForMs);
    return Promise.resolve([]);
  };
  const parts: Pick<RecoverableTenant, 'tenant' | 'store' | 'maxRecoveryAttempts' | 'takeOrphans'> =
    {
      tenant: 'a',
      store,
      maxRecoveryAttempts: 3,
      takeOrphans: (_, take) => take(null as never),
    };
  return { tenant: new TenantRecovery(parts as RecoverableTenant), times };
}

it('Claims of a lost process have the time since its loss, also if another pass takes them first', async () => {
  const { tenant, times } = tenantOf();
  const dead: DeadInstance = { instanceId: 'lost', label: 'process x', orphanedForMs: 70 };
  tenant.noteLoss(dead);
  await tenant.takeUnleased(['lost', 'unknown'], 'lockGone');
  await tenant.take(dead, 'lockGone');
  // What is left then is taken later, by a pass that knows of no loss.
  await tenant.takeUnleased(['lost'], 'lockGone');
  expect(times).toEqual([70, 0, 70, 0]);
});
