import type { Duration } from '../../workflow/index.js';

/**
 * Options of {@link CloacinaHealth.check}.
 *
 * @example
 * ```ts
 * const report = await health.check({ timeout: '500ms', backlogAfter: '5m', listed: 20 });
 * ```
 */
export interface HealthOptions {
  /** How long the check waits for an answer of each database, at most 10 s. Default: 1 s. */
  timeout?: Duration;
  /** How long a task may be due before its tenant is in trouble. Default: 1 min. */
  backlogAfter?: Duration;
  /** The number of tenants in trouble that are listed, 0 to 1,000. Default: 10. */
  listed?: number;
}

/** A database that this process uses, with one login. */
export interface DatabaseHealth {
  /** Its name in the option `servers`. Absent without that option. */
  server?: string;
  /** The host, the port and the name of the database, such as `db.internal:5432/shop`. */
  database: string;
  /** Whether it has answered a statement. The answer is at most a second old. */
  isUp: boolean;
  /** How long the answer took, in milliseconds. Absent without an answer. */
  latencyMs?: number;
  /** Why the database did not answer, as a sentence without secrets. Absent if it answered. */
  error?: string;
  /**
   * The state of the control connection, by which other processes see that this one lives.
   *
   * - `open`: the process may claim.
   * - `lost`: the process claims nothing in this database until the connection is back.
   * - `none`: the process works without one, by `controlConnection: false` or behind a transaction pooler, and may claim.
   * - `notOpened`: the application has not bootstrapped yet.
   */
  controlConnection: 'open' | 'lost' | 'none' | 'notOpened';
  /** The number of tenants that this process serves there. */
  tenants: number;
}

/** A tenant in trouble. A tenant with several troubles has one entry for each. */
export interface TenantTrouble {
  /** The name of the tenant. With the trouble `notOpened`, its schema. */
  tenant: string;
  /**
   * What is wrong.
   *
   * - `schema`: its tables can't be read or changed: they are locked, broken or dropped.
   * - `backlog`: a task has been due for longer than `backlogAfter`, and no process claims it.
   * - `hungHandlers`: handlers ignore their aborted signals and keep slots of this process.
   * - `notOpened`: the tenant was discovered, or its server came back, and it could not be opened.
   * - `moving`: the tenant moves to another server, or has moved to one that this process can't reach or does not know. Nothing of
   *   it is claimed here.
   * - `serverAway`: the tenant's server could not be reached at the boot. The tenant is served as soon as it answers.
   * - `archive`: the archive fails, so `retention` keeps ended executions. Only in the process that deletes those of the tenant.
   */
  trouble:
    'schema' | 'backlog' | 'hungHandlers' | 'notOpened' | 'moving' | 'serverAway' | 'archive';
  /** The same as a sentence for people. */
  detail: string;
}

/** The oldest due task that no process has claimed. */
export interface OldestDueTask {
  /** The name of its tenant. */
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
   * Whether the process should live on. `false` only if a restart helps: too many handlers hang, so their slots can't be freed.
   * A database that is away does not make it `false`.
   */
  isLive: boolean;
  /** Whether the process may get traffic: it has booted, does not shut down, and a database answers, so it can start executions. */
  isReady: boolean;
  /** What is wrong, as sentences for people. Empty if the status is `up`. */
  reasons: string[];
  /** The databases of this process, one entry for each login. */
  databases: DatabaseHealth[];
  /** The tenants of this process. */
  tenants: {
    /** The number of tenants that this process serves. */
    total: number;
    /** The number of tenants whose claiming is paused in this process. */
    paused: number;
    /** The number of troubles. */
    inTrouble: number;
    /** The troubles by the name of the tenant, at most `listed` of them. */
    troubled: TenantTrouble[];
  };
  /** The task that has been due for longest. Absent if no task is due, or only in tenants with paused workflows. */
  oldestDue?: OldestDueTask;
  /** When the report was made, by the clock of this process. */
  at: Date;
}
