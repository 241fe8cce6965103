import type { TenantHandle } from './tenant-store.js';

/** The payload of the notification that announces a lease. */
export const LEASE_NOTICE = 'l';

/** The process that claims, as a claim statement writes it. */
export interface Claimant {
  /** The owner of the claims: this process in this tenant, until it loses its lease there. */
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  /** Life of the server in which the process took its liveness lock. Null if it takes no lock. */
  readonly lockEpoch: string | null;
  /** The lock's key and the backend that holds it. Null if there is no lock. */
  readonly lockSession: string | null;
  readonly leaseDurationMs: number;
  /**
   * Whether the statement that writes the lease sends a {@link LEASE_NOTICE}, so that the other processes watch this
   * one from the commit on. Default: false.
   */
  readonly announcesLease?: boolean;
}

/**
 * The lease to write with a claim. `write` is true for the first claim of a process in a tenant, false once it has a
 * lease.
 */
export interface LeaseWrite {
  readonly claimant: Claimant;
  readonly write: boolean;
}

/** A lease of this process in one tenant. */
export interface HeldLease {
  readonly tenant: TenantHandle;
  readonly instanceId: string;
}

/** A process's lease in one tenant, as recovery reads it. */
export interface LeaseRow {
  /** Index of the tenant in the request. */
  readonly tenant: number;
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  readonly lockEpoch: string | null;
  /** The lock that the process holds while it lives. Null if it takes none. */
  readonly lockSession: string | null;
  /** The role with which the process connects. */
  readonly login: string;
  /** Milliseconds since the lease expired. Negative while it is valid. */
  readonly overForMs: number;
  /** Whether the database accepts no writes at the moment. */
  readonly readOnly: boolean;
}

/** This process's lease in one tenant. */
export interface LeaseStore {
  /** Writes the lease without a claim. */
  writeLease(lease: LeaseWrite): Promise<void>;
  /** Deletes the lease. Returns false, and keeps the lease, if the instance has claims. */
  releaseLease(instanceId: string): Promise<boolean>;
  /**
   * Deletes what the store keeps of the instance's ended claims, as far as {@link ClaimBatch.claimEnded} did not tell it
   * of their ends.
   */
  forgetEnded(instanceId: string): Promise<void>;
}
