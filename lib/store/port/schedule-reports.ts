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

/** Which records of firings are deleted: those that are older, except for the latest of each schedule. */
export interface FiringPrune {
  /** The name behind which the page of schedules begins; null for the first page. */
  readonly after: string | null;
  /** In milliseconds. */
  readonly olderThanMs: number;
  /** The number of latest records of each schedule that stay, whatever their age. */
  readonly keep: number;
}

export interface PrunedFirings {
  readonly deleted: number;
  /** Where the next page begins: the same place if this one has more to delete; null if all schedules are done. */
  readonly next: string | null;
  readonly isDone: boolean;
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
  /**
   * Deletes old records of a page of schedules. The oldest record of a schedule becomes a range, `pruned`, that stands for
   * all that are gone. So a backfill still knows that these instants were dealt with.
   */
  prune(prune: FiringPrune): Promise<PrunedFirings>;
}
