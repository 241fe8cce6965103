import type { ActionNote } from './actions.js';
import type { FireReply, NewFiring } from './schedule-firings.js';
import type { ScheduleReportStore } from './schedule-reports.js';
import type { UserTransaction } from './transactions.js';

/** Who made a schedule: the code, by `@Schedule`, or a caller of the API. */
export type ScheduleOrigin = 'api' | 'code';

/**
 * - `active`: it fires.
 * - `paused`: it does not fire until it is resumed.
 * - `ended`: no firing is left.
 * - `broken`: it can't fire, for the reason in the row: its workflow, input or time zone is not usable.
 */
export type ScheduleState = 'active' | 'broken' | 'ended' | 'paused';

/**
 * Why a schedule could not fire:
 * - `unknownWorkflow`: no running process has its workflow.
 * - `invalidInput`: its input is no longer valid for the workflow.
 * - `invalidSpec`: its spec can't be used, for example because its time zone no longer exists.
 */
export type ScheduleErrorKind = 'invalidInput' | 'invalidSpec' | 'unknownWorkflow';

export interface ScheduleError {
  readonly kind: ScheduleErrorKind;
  readonly message: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** The columns of a schedule that a change sets. Instants are in milliseconds since 1970. */
export interface ScheduleColumns {
  readonly workflow: string;
  /** JSON text: the spec in its stored form. */
  readonly spec: string;
  /** JSON text; null for none. */
  readonly input: string | null;
  readonly origin: ScheduleOrigin;
  readonly state: ScheduleState;
  readonly reason: string | null;
  /** The next instant of the schedule; null if none is left. */
  readonly nextFor: number | null;
  /** When it is due: later by the jitter. */
  readonly nextAt: number | null;
  /** Why it could not fire the last time that it was due; null if it could, or was changed since. */
  readonly lastError: ScheduleError | null;
  /** The time from which intervals count, set by the creation. Default: now. */
  readonly createdAt?: number;
  /** The time of the change. Default: now. Given for one that the database has lost, and that is written again. */
  readonly updatedAt?: number;
}

/** The row of a schedule. */
export interface ScheduleRecord extends ScheduleColumns {
  readonly name: string;
  /** Increases with each change and each firing. */
  readonly version: number;
  readonly lastFiredFor: number | null;
  readonly lastExecutionId: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A schedule whose next firing is due. */
export interface DueSchedule extends ScheduleRecord {
  /** The status of the last execution; null if no execution was started, or if it was deleted. */
  readonly lastStatus: string | null;
  /**
   * Whether the last executions have all failed, as many as `pauseAfterFailures` says. Only those count that have ended, and
   * that were started since the last change of the schedule.
   */
  readonly hasFailed: boolean;
  /** The database's time, in milliseconds since 1970. */
  readonly now: number;
}

/** The firings of one schedule that are due, and the change of the schedule. */
export interface ScheduleFire {
  readonly name: string;
  /** The version that was read. The schedule fires only if it is still this one. */
  readonly version: number;
  readonly state: ScheduleState;
  readonly reason: string | null;
  readonly nextFor: number | null;
  readonly nextAt: number | null;
  readonly lastFiredFor: number | null;
  readonly lastExecutionId: string | null;
  readonly lastError: ScheduleError | null;
  readonly firings: readonly NewFiring[];
}

/** Which schedules a page has. */
export interface ScheduleQuery {
  readonly workflow: string | null;
  readonly state: ScheduleState | null;
  readonly origin: ScheduleOrigin | null;
  /** Only names after this one. */
  readonly after: string | null;
  readonly limit: number;
}

/** A caller's transaction in which a schedule is read or changed, and the notification that a change sends at its commit. */
export interface ScheduleTransaction {
  readonly manager: UserTransaction;
  readonly payload: string;
}

/** What became of the broken schedules of some workflows. */
export interface MendedSchedules {
  readonly mended: number;
  /** The names of those that are still broken, because another session has locked them. */
  readonly locked: readonly string[];
}

/**
 * Schedules and their firings.
 *
 * Each change and each firing compares the version of the row with the one that it has read, and increases it. So of a
 * change and a firing that race, or of two processes that fire, one finds another version and does nothing.
 */
export interface ScheduleStore extends ScheduleReportStore {
  /** Call when another process has changed a schedule: the sweeps read the schedules from now on. */
  noted(): void;
  /** The database's time, in milliseconds since 1970: only this time decides which firings are past. */
  now(): Promise<number>;
  /**
   * The schedules of these workflows whose next firing is due, the longest overdue first.
   *
   * @param except - the names of schedules to leave out
   */
  due(
    workflows: readonly string[],
    limit: number,
    except?: readonly string[],
  ): Promise<DueSchedule[]>;
  /**
   * Makes firings: moves the schedules, records the firings and starts their executions, all in one statement. It skips a
   * schedule whose row another transaction has locked.
   */
  fire(schedules: readonly ScheduleFire[]): Promise<FireReply>;
  get(name: string, transaction?: ScheduleTransaction): Promise<ScheduleRecord | undefined>;
  /** In the order of their names. */
  list(query: ScheduleQuery): Promise<ScheduleRecord[]>;
  /**
   * Creates a schedule. False if one has the name.
   *
   * @param by - the action to record with the change, as for the other changes. Default: none
   */
  create(
    name: string,
    columns: ScheduleColumns,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean>;
  /**
   * Changes a schedule. False if it no longer has this version.
   *
   * @param passed - firings that the change passes over, to be recorded
   */
  change(
    name: string,
    version: number,
    columns: ScheduleColumns,
    passed: NewFiring | null,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean>;
  /** Deletes a schedule with its firings. Its executions stay. False if no schedule has the name. */
  delete(name: string, transaction?: ScheduleTransaction, by?: ActionNote | null): Promise<boolean>;
  /**
   * Makes schedules of these workflows active again that are broken, because this process may be able to fire them. Leaves
   * those that another session has locked.
   *
   * @param names - only the schedules of these names. Default: all
   */
  mend(workflows: readonly string[], names?: readonly string[] | null): Promise<MendedSchedules>;
  /** Marks active schedules as broken that are overdue by `overdueMs` and whose workflow is not one of these. */
  breakUnknown(
    workflows: readonly string[],
    overdueMs: number,
    error: ScheduleError,
  ): Promise<{ readonly name: string; readonly workflow: string }[]>;
}
