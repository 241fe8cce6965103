import type { StartItem } from './starts.js';
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
  /** Number of executions that have failed one after the other. */
  readonly failures: number;
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
  /** The database's time, in milliseconds since 1970. */
  readonly now: number;
}

/**
 * What came of a firing:
 * - `started`: it started an execution.
 * - `caughtUp`: it started one late, because it had been missed.
 * - `skipped`: the execution before was still running.
 * - `missed`: it was missed, and passed over. One row stands for a range of them.
 * - `paused`: the schedule was paused. One row stands for a range of them.
 * - `manual`: a caller started the execution by `runNow`.
 */
export type FiringOutcome = 'caughtUp' | 'manual' | 'missed' | 'paused' | 'skipped' | 'started';

/** A firing to record. */
export interface NewFiring {
  /** The instant of the schedule, in milliseconds since 1970. */
  readonly scheduledFor: number;
  readonly outcome: FiringOutcome;
  /** The last instant of a range, and the number of firings in it. */
  readonly until: number | null;
  readonly count: number;
  /** The execution to start, if the firing starts one. */
  readonly start: StartItem | null;
}

export interface FiringRecord extends Omit<NewFiring, 'start'> {
  readonly executionId: string | null;
  readonly firedAt: number;
}

/** The firings of one schedule that are due, and what becomes of the schedule. */
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
  readonly failures: number;
  readonly firings: readonly NewFiring[];
}

export interface FireReply {
  /** By index: whether the schedule was still as it was read, so that its firings are made now. */
  readonly fired: readonly boolean[];
  /** Whether the definitions of the started executions are stored. */
  readonly definitionsAreStored: boolean;
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

/** The firings of a schedule that a page has: the latest first. */
export interface FiringQuery {
  readonly schedule: string;
  /** Only firings for instants before this one. */
  readonly before: number | null;
  readonly limit: number;
}

/** A caller's transaction in which a schedule is read or changed, and the notification that a change sends at its commit. */
export interface ScheduleTransaction {
  readonly manager: UserTransaction;
  readonly payload: string;
}

/**
 * Schedules and their firings.
 *
 * Each change and each firing compares the version of the row with the one that it has read, and increases it. So of a
 * change and a firing that race, or of two processes that fire, one finds another version and does nothing.
 */
export interface ScheduleStore {
  /** Call when another process has changed a schedule: the sweeps read the schedules from now on. */
  noted(): void;
  /** The schedules of these workflows whose next firing is due, the longest overdue first. */
  due(workflows: readonly string[], limit: number): Promise<DueSchedule[]>;
  /**
   * Makes firings: moves the schedules, records the firings and starts their executions, all in one statement. It skips a
   * schedule whose row another transaction has locked.
   */
  fire(schedules: readonly ScheduleFire[]): Promise<FireReply>;
  get(name: string, transaction?: ScheduleTransaction): Promise<ScheduleRecord | undefined>;
  /** In the order of their names. */
  list(query: ScheduleQuery): Promise<ScheduleRecord[]>;
  /** Creates a schedule. False if one has the name. */
  create(
    name: string,
    columns: ScheduleColumns,
    transaction?: ScheduleTransaction,
  ): Promise<boolean>;
  /**
   * Changes a schedule. False if it does not have this version any more.
   *
   * @param passed - firings that the change passes over, to be recorded
   */
  change(
    name: string,
    version: number,
    columns: ScheduleColumns,
    passed: NewFiring | null,
    transaction?: ScheduleTransaction,
  ): Promise<boolean>;
  /** Deletes a schedule with its firings. Its executions stay. False if no schedule has the name. */
  delete(name: string, transaction?: ScheduleTransaction): Promise<boolean>;
  firings(query: FiringQuery): Promise<FiringRecord[]>;
  /** Makes schedules of these workflows active again that are broken, because this process may be able to fire them. */
  mend(workflows: readonly string[]): Promise<number>;
  /** Marks active schedules as broken that are overdue by `overdueMs` and whose workflow is not one of these. */
  breakUnknown(
    workflows: readonly string[],
    overdueMs: number,
    reason: string,
  ): Promise<{ readonly name: string; readonly workflow: string }[]>;
}
