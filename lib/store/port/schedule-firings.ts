import type { StartItem } from './starts.js';

/**
 * What came of a firing:
 * - `started`: it started an execution.
 * - `caughtUp`: it started one late, because it had been missed.
 * - `skipped`: the execution before was still running.
 * - `missed`: it was missed, and passed over. One row stands for a range of them.
 * - `paused`: the schedule was paused. One row stands for a range of them.
 * - `manual`: a caller started the execution by `runNow`.
 * - `backfilled`: a backfill started one.
 * - `pruned`: the records of a range were deleted because they were old. One row stands for all of them.
 */
export type FiringOutcome =
  'backfilled' | 'caughtUp' | 'manual' | 'missed' | 'paused' | 'pruned' | 'skipped' | 'started';

/** A firing to record. */
export interface NewFiring {
  /** The instant of the schedule, in milliseconds since 1970. */
  readonly scheduledFor: number;
  readonly outcome: FiringOutcome;
  /** When it was due: later by the jitter. Null for ranges, and for firings that no timer made. */
  readonly dueAt: number | null;
  /** The last instant of a range, and the number of firings in it. */
  readonly until: number | null;
  readonly count: number;
  /** The execution to start, if the firing starts one. */
  readonly start: StartItem | null;
}

export interface FiringRecord extends Omit<NewFiring, 'dueAt' | 'start'> {
  readonly executionId: string | null;
  readonly firedAt: number;
}

export interface FireReply {
  /** By index: whether the schedule was still as it was read, so that its firings are made now. */
  readonly fired: readonly boolean[];
  /** Whether the definitions of the started executions are stored. */
  readonly definitionsAreStored: boolean;
}
