import type { ScheduleStatsRow } from '../../store/port/index.js';

/** What came of firings, and of the executions that they have started. */
export interface ScheduleStats {
  /** The number of executions that were started. */
  readonly fired: number;
  /** The same by the way in which they were started. */
  readonly firedBy: {
    /** In time. */
    readonly schedule: number;
    /** Late, because the firing had been missed. */
    readonly catchUp: number;
    readonly runNow: number;
    readonly backfill: number;
  };
  /** The number of firings that started nothing, and why. A range of firings is counted to 1,000. */
  readonly skipped: {
    /** The execution before was still running. */
    readonly overlap: number;
    /** The firing was missed, and `catchUp` passed it over. */
    readonly missed: number;
    /** The schedule was paused. */
    readonly paused: number;
  };
  /**
   * From the time at which a firing was due to the start of its execution, in milliseconds, of those in time. The jitter does not
   * count. Undefined if there are no such firings.
   */
  readonly lagMs: { readonly median: number; readonly p95: number } | undefined;
  /** What became of the executions. Those that were deleted after their end count by it too. */
  readonly executions: {
    readonly unfinished: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
    /** The number of those that no longer exist. */
    readonly deleted: number;
  };
}

export function viewStats(row: ScheduleStatsRow): ScheduleStats {
  const { started, caughtUp, manual, backfilled, medianLagMs, p95LagMs } = row;
  const { unfinished, completed, failed, cancelled, deleted } = row;
  return {
    fired: started + caughtUp + manual + backfilled,
    firedBy: { schedule: started, catchUp: caughtUp, runNow: manual, backfill: backfilled },
    skipped: { overlap: row.skipped, missed: row.missed, paused: row.paused },
    lagMs:
      medianLagMs === null || p95LagMs === null
        ? undefined
        : { median: medianLagMs, p95: p95LagMs },
    executions: { unfinished, completed, failed, cancelled, deleted },
  };
}
