import type { ConnectionSource } from '../store/postgres/connections/connection-config.js';

/** `error`: work stands still or may be lost. `warning`: it will hurt, or slows work down. */
export type FindingSeverity = 'error' | 'warning';

/** A value of {@link DoctorFinding.facts}. */
export type FindingFact = string | number | boolean | null | readonly string[];

/** A fault that {@link runDoctor} found. */
export interface DoctorFinding {
  /** The id of the check, such as `schema-drift`. Ids are stable. */
  readonly check: string;
  /** How bad it is. */
  readonly severity: FindingSeverity;
  /** The fault in a few words. */
  readonly title: string;
  /** The name of the server. Set by {@link runDoctorOnServers} only, and absent for a fault of several servers together. */
  readonly server?: string;
  /** The tenant's schema. Absent for a fault of the database or of the connection. */
  readonly schema?: string;
  /** What was found where, as a sentence. */
  readonly detail: string;
  /** What to do, as sentences. */
  readonly advice: string;
  /** The same in numbers and names, for programs. */
  readonly facts: Readonly<Record<string, FindingFact>>;
}

/** A check that could not be made. It is neither a finding nor a sign of health. */
export interface SkippedCheck {
  /** The id of the check. */
  readonly check: string;
  /** The schema of the tenant. Absent for a check of the database. */
  readonly schema?: string;
  /** Why it could not be made, as a sentence. */
  readonly reason: string;
}

/** The result of {@link runDoctor}. */
export interface DoctorReport {
  /** The examined database and the login. */
  readonly database: {
    readonly host: string;
    readonly port: number;
    /** The name of the database. */
    readonly database: string;
    /** The role of the connection. */
    readonly login: string;
    /** The version of the server, such as `17.2`. */
    readonly version: string;
  };
  /** When the examination began, by the clock of the database. */
  readonly at: Date;
  /** The schemas of the examined tenants. */
  readonly schemas: readonly string[];
  /** The faults, errors first. Empty on a healthy database. */
  readonly findings: readonly DoctorFinding[];
  /** The checks that could not be made. */
  readonly skipped: readonly SkippedCheck[];
}

/** One of several servers: its report, or why it could not be examined. */
export type ExaminedServer =
  | ({ readonly server: string } & DoctorReport)
  | {
      readonly server: string;
      readonly error: { readonly code: string; readonly message: string };
    };

/** The result of {@link runDoctorOnServers}. */
export interface ServersDoctorReport {
  /** The servers, in the order in which they were given. */
  readonly servers: readonly ExaminedServer[];
  /**
   * What only a look over all servers finds: `server-away` for a server that could not be examined, and `duplicate-schema` for a
   * schema on several servers. The other findings are in the reports of the servers.
   */
  readonly findings: readonly DoctorFinding[];
}

/**
 * Options of {@link runDoctorOnServers}: what to examine on each server.
 *
 * @example
 * ```ts
 * await runDoctorOnServers(servers, { ignore: ['failed-executions'], role: 'app' });
 * ```
 */
export interface ServersDoctorOptions extends Pick<DoctorOptions, 'checks' | 'ignore' | 'role'> {
  /** As in {@link DoctorOptions}, for each server after another. */
  readonly onProgress?: (done: number, total: number, server: string) => void;
}

/**
 * Options of {@link runDoctor}: the database, and what to examine in it.
 *
 * @example
 * ```ts
 * await runDoctor({ databaseUrl, schemas: ['tenant_acme'], ignore: ['failed-executions'], role: 'app' });
 * ```
 */
export interface DoctorOptions extends ConnectionSource {
  /** The schemas of the tenants to examine. Default: all that contain the library's tables. */
  readonly schemas?: readonly string[];
  /** The ids of the checks to make. Default: all. */
  readonly checks?: readonly string[];
  /** The ids of checks to leave out. Default: none. */
  readonly ignore?: readonly string[];
  /** The role of the application, whose rights are checked. Default: the login of the connection. */
  readonly role?: string;
  /** Called after the checks of the database, and after each tenant. `total` is the number of tenants and 1. */
  readonly onProgress?: (done: number, total: number) => void;
}
