import type { TenantHandle } from './tenant-store.js';

/** Whether a process takes the tasks of a tenant. */
export type ServingState = 'claiming' | 'paused' | 'draining';

/** How old the announcement of a process without a lock may be before the process counts as dead, in milliseconds. */
export const ANNOUNCED_FOR_MS = 180_000;

/** The announcement of a process to the others, for one tenant. */
export interface Announcement {
  readonly tenant: TenantHandle;
  readonly state: ServingState;
  /** The number of tasks of the tenant that it may run at a time. */
  readonly slots: number;
  /** The ids of the code's own definitions that it serves there. */
  readonly definitions: readonly string[];
  /** JSON text of the numbers of the code's limits, by name. */
  readonly limits: string;
}

/** The process that announces itself. */
export interface AnnouncedIdentity {
  readonly processId: string;
  readonly name: string;
  /** The newest format of definitions that its release reads. */
  readonly format: number;
}

/** A process that serves a tenant, and lives. */
export interface ServingRow {
  readonly processId: string;
  readonly name: string;
  readonly state: ServingState;
  readonly slots: number;
  readonly format: number;
  /** Whether it lives, but has no control connection, so that it claims nothing. */
  readonly isAway: boolean;
  readonly since: Date;
  /** The names of the workflows that it serves, in order; at most 100. */
  readonly workflows: readonly string[];
  /** JSON text of the numbers of the limits in its code, by name. */
  readonly limits: string;
  /** The names of the tasks of its own definition of the workflow that was asked for. Null if it does not serve the workflow. */
  readonly taskNames: readonly string[] | null;
}

/** The owner of claims. */
export interface ClaimOwnerRow {
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  /** The number of its claims. */
  readonly claimed: number;
  /** Whether it is lost, and why. Null: it lives, as far as its lease and its lock show. */
  readonly lost: 'lockGone' | 'leaseOver' | null;
}

/** The processes of a tenant at one moment. */
export interface TenantProcesses {
  /** The oldest first; at most {@link MAX_PROCESSES}. */
  readonly serving: readonly ServingRow[];
  readonly owners: readonly ClaimOwnerRow[];
}

/** Max number of processes that a read returns. */
export const MAX_PROCESSES = 50;

/** Reads which processes serve the tenant. */
export interface ProcessStore {
  /** @param workflow - the workflow whose task names are read */
  read(workflow: string): Promise<TenantProcesses>;
}

/** Announces this process in many tenants. */
export interface AnnouncingSession {
  /**
   * Stores the announcements of this process, in place of its earlier ones. It also deletes announcements of dead
   * processes that are older than a minute. By index: undefined if the schema is broken, or the process may not write there.
   */
  announce(
    process: AnnouncedIdentity,
    announcements: readonly Announcement[],
  ): Promise<(true | undefined)[]>;
  /** Deletes the announcement of this process. By index, as above. */
  withdraw(processId: string, tenants: readonly TenantHandle[]): Promise<(true | undefined)[]>;
}
