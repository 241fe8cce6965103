import type { Duration } from '../../workflow/index.js';

/** Options of {@link CloacinaHealth.check}. */
export interface HealthOptions {
  /** How long to wait for an answer of each database, at most 10 s. Default: 1 s. */
  timeout?: Duration;
  /** For how long a task may have been due before its tenant is in trouble. Default: 1 min. */
  backlogAfter?: Duration;
  /** The number of tenants in trouble that are listed, 0 to 1,000. Default: 10. */
  listed?: number;
}

/** A database of this process, with one login. */
export interface DatabaseHealth {
  /** Host, port and name. */
  database: string;
  /** Whether it has answered a statement. The answer is at most a second old. */
  isUp: boolean;
  /** How long the answer took, in milliseconds. Absent if there was none. */
  latencyMs?: number;
  /** Why there was no answer. */
  error?: string;
  /**
   * - `open`: the process has proved to others that it lives, and may claim.
   * - `lost`: nothing is claimed in this database until it is back.
   * - `none`: there is none, by `controlConnection: false` or behind a transaction pooler. The process claims all the same.
   * - `notOpened`: the application has not bootstrapped yet.
   */
  controlConnection: 'open' | 'lost' | 'none' | 'notOpened';
  /** The number of tenants that this process serves there. */
  tenants: number;
}

/** A tenant in trouble. */
export interface TenantTrouble {
  tenant: string;
  /**
   * - `schema`: its tables can't be read or changed: they are locked, broken or dropped.
   * - `backlog`: a task has been due for longer than `backlogAfter`, and no process claims it.
   * - `hungHandlers`: handlers ignore their aborted signals and keep slots of this process.
   * - `notOpened`: the tenant was discovered and could not be opened.
   */
  trouble: 'schema' | 'backlog' | 'hungHandlers' | 'notOpened';
  /** The same as a sentence for people. */
  detail: string;
}

/** The oldest due task that no process has claimed. */
export interface OldestDueTask {
  tenant: string;
  /** Since when it is due. */
  dueSince: Date;
  /** How long it had been due when the sweep read it, in milliseconds. */
  dueForMs: number;
  /** When the sweep read it: up to 15 s ago. */
  asOf: Date;
}

/** The health of this process. */
export interface HealthReport {
  /**
   * - `up`: everything works.
   * - `degraded`: the process works, with the troubles of `reasons`.
   * - `down`: no database answers, nothing is claimed, or the process boots or shuts down.
   */
  status: 'up' | 'degraded' | 'down';
  /**
   * Whether the process should live on. `false` only if a restart helps: so many handlers hang that no more of their slots can
   * be freed. A database that is away does not make it `false`.
   */
  isLive: boolean;
  /** Whether the process may get traffic: it has booted, does not shut down, and a database answers, so it can start executions. */
  isReady: boolean;
  /** What is wrong, as sentences for people. Empty if the status is `up`. */
  reasons: string[];
  databases: DatabaseHealth[];
  tenants: {
    /** The number of tenants that this process serves. */
    total: number;
    /** The number of those whose claiming is paused in this process. */
    paused: number;
    /** The number of troubles. */
    inTrouble: number;
    /** The first of them, by tenant; at most `listed`. */
    troubled: TenantTrouble[];
  };
  /** Absent if no task is due, or only in tenants with paused workflows. */
  oldestDue?: OldestDueTask;
  at: Date;
}
