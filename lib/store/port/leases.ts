import type { TenantHandle } from './tenant-store.js';

/** What a claim statement needs to know of the process that claims. */
export interface Claimant {
  /** Whose claims these are: this process in this tenant, until it loses its lease there. */
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  /** The life of the server in which the process took the lock that proves that it lives; null if it takes none. */
  readonly lockEpoch: string | null;
  /** The lock's key and the backend that holds it; null if there is none. */
  readonly lockSession: string | null;
  readonly leaseDurationMs: number;
}

/** Written with the first claim of a process in a tenant; `write` is false while the lease is held. */
export interface LeaseWrite {
  readonly claimant: Claimant;
  readonly write: boolean;
}

/** A lease of this process in one tenant. */
export interface HeldLease {
  readonly tenant: TenantHandle;
  readonly instanceId: string;
}

/** A process's lease in one tenant, as a recovery pass sees it. */
export interface LeaseRow {
  /** The index of the tenant in the reading. */
  readonly tenant: number;
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  readonly lockEpoch: string | null;
  /** The lock that it holds while it lives; null if it takes none. */
  readonly lockSession: string | null;
  /** The role that it logs in as. */
  readonly login: string;
  /** Since when it is over, in milliseconds; negative while it holds. */
  readonly overForMs: number;
  /** The database takes no writes now. */
  readonly readOnly: boolean;
}

/** This process's lease in one tenant. */
export interface LeaseStore {
  /** Writes the lease by itself. */
  writeLease(lease: LeaseWrite): Promise<void>;
  /** Deletes the lease; false: claims are held under it, and it stays. */
  releaseLease(instanceId: string): Promise<boolean>;
}
