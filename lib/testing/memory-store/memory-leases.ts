import { LEASE_NOTICE, type LeaseWrite } from '../../store/port/index.js';
import type { MemoryTables } from './memory-tables.js';

/** Part of every statement that may claim, so that no claim exists without a lease. */
export function writeLease(tables: MemoryTables, { claimant, write }: LeaseWrite): void {
  if (!write) return;
  const { instanceId, processId, name, lockEpoch, lockSession, leaseDurationMs } = claimant;
  const expiresAt = tables.now() + leaseDurationMs;
  const lease = { instanceId, processId, name, lockEpoch, lockSession, expiresAt };
  tables.leases.set(instanceId, lease);
  if (claimant.announcesLease === true) tables.notify([LEASE_NOTICE]);
}

/** Returns whether the lease existed. */
export function renewLease(
  tables: MemoryTables,
  instanceId: string,
  leaseDurationMs: number,
  lock: { readonly lockEpoch: string | null; readonly lockSession: string | null },
): boolean {
  const lease = tables.leases.get(instanceId);
  if (lease === undefined) return false;
  const expiresAt = tables.now() + leaseDurationMs;
  tables.leases.set(instanceId, { ...lease, ...lock, expiresAt });
  return true;
}

/** Deletes the lease unless a Running task names its owner. Returns whether it is deleted. */
export function releaseLease(tables: MemoryTables, instanceId: string): boolean {
  if (tables.running(instanceId).length > 0) return false;
  tables.leases.delete(instanceId);
  return true;
}
