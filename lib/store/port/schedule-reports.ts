import type { FireReply, FiringRecord, NewFiring } from './schedule-firings.js';

/** The firings of a schedule that a page has: the latest first. */
export interface FiringQuery {
  readonly schedule: string;
  /** Only firings for instants before this one. */
  readonly before: number | null;
  readonly limit: number;
}

/** Which firings the statistics count. */
export interface StatsQuery {
  /** Only firings that were recorded from this time on, in milliseconds since 1970. */
  readonly since: number | null;
  readonly schedule: string | null;
}

/** Numbers of firings, and of the executions that they have started. */
export interface ScheduleStatsRow {
  readonly started: number;
  readonly caughtUp: number;
  readonly manual: number;
  readonly backfilled: number;
  readonly skipped: number;
  readonly missed: number;
  readonly paused: number;
  /** From the due time to the record of the firing, in milliseconds; null if no firing was on time. */
  readonly medianLagMs: number | null;
  readonly p95LagMs: number | null;
  readonly unfinished: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly deleted: number;
}

/** Firings of a schedule for times that are past. */
export interface Backfill {
  readonly schedule: string;
  /** The version that was read. Nothing happens unless the schedule has still this one. */
  readonly version: number;
  /** Firings with executions, and the ranges that are left. A record that has no execution is replaced. */
  readonly firings: readonly NewFiring[];
}

/** Records of firings, and firings for times that are past. */
export interface ScheduleReportStore {
  firings(query: FiringQuery): Promise<FiringRecord[]>;
  /** The firings and ranges of a schedule from one instant to another, those that are only partly between them too. */
  firingsBetween(schedule: string, from: number, to: number): Promise<FiringRecord[]>;
  stats(query: StatsQuery): Promise<ScheduleStatsRow>;
  /**
   * Records firings and starts their executions, in one statement. An instant that has an execution gets no other. Does
   * nothing if another transaction has locked the schedule.
   */
  backfill(backfill: Backfill): Promise<FireReply>;
}
