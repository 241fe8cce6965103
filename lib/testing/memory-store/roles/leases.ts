import { MemoryRole } from './memory-role.js';
import { releaseLease, writeLease } from '../memory-leases.js';
import type { LeaseStore, LeaseWrite } from '../../../store/port/index.js';

/** The lease of a process in one tenant, in memory. */
export class MemoryLeaseStore extends MemoryRole implements LeaseStore {
  writeLease(lease: LeaseWrite): Promise<void> {
    return this.run((tables) => writeLease(tables, lease));
  }

  releaseLease(instanceId: string): Promise<boolean> {
    return this.run((tables) => releaseLease(tables, instanceId));
  }

  /** The rows of the tasks are all that this store keeps of a claim. */
  forgetEnded(): Promise<void> {
    return Promise.resolve();
  }
}
