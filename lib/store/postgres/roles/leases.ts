import { PostgresRole } from './postgres-role.js';
import { forgetBatches } from '../statements/claim-batch.js';
import { leaseValues } from '../statements/lease-clause.js';
import { deleteLease, writeLease } from '../statements/leases.js';
import type { LeaseStore, LeaseWrite } from '../../port/index.js';

/** The lease of this process in one tenant, on PostgreSQL. */
export class PostgresLeaseStore extends PostgresRole implements LeaseStore {
  async writeLease({ claimant, write }: LeaseWrite): Promise<void> {
    await this.db.hot.run(writeLease, leaseValues(claimant, write));
  }

  async releaseLease(instanceId: string): Promise<boolean> {
    const [row] = await this.db.hot.run(deleteLease, [instanceId]);
    return row?.isHeld !== true;
  }

  async forgetEnded(instanceId: string): Promise<void> {
    await this.db.hot.run(forgetBatches, [instanceId]);
  }
}
