import type { JsonObject } from '../discovery/context-types.js';
import { decodeSpec, type ScheduleSpec } from '../workflow/schedule/index.js';
import type { FiringRecord, ScheduleRecord } from '../store/port/index.js';

/** A schedule of a tenant. */
export interface TenantSchedule {
  /** The name of the schedule, unique in the tenant. */
  readonly name: string;
  /** The name of the workflow that it starts. */
  readonly workflow: string;
  /** When it fires, and its policies. */
  readonly spec: ScheduleSpec;
  /** The input of each execution. */
  readonly input: JsonObject | undefined;
  /** `code`: declared by `@Schedule`. `api`: made by `create`. */
  readonly origin: 'api' | 'code';
  /**
   * - `active`: it fires.
   * - `paused`: it does not fire until it is resumed.
   * - `ended`: no firing is left.
   * - `broken`: it can't fire; `reason` says why. It continues when that is mended.
   */
  readonly state: 'active' | 'broken' | 'ended' | 'paused';
  /** Why it is paused or broken. */
  readonly reason: string | undefined;
  /**
   * Why it could not fire the last time that it was due; undefined if it could, or was changed since. Unlike `reason`, it stays
   * when a process tries again.
   */
  readonly lastError: ScheduleFailure | undefined;
  /** The next instant that it fires for; undefined if none is left. */
  readonly nextAt: Date | undefined;
  /** The instant that it fired for last. */
  readonly lastFiredFor: Date | undefined;
  /** The execution that it started last. */
  readonly lastExecutionId: string | undefined;
  /** When it was created. */
  readonly createdAt: Date;
  /** When it was last changed or resumed. Firings do not count. */
  readonly updatedAt: Date;
}

/** Why a schedule could not fire. */
export interface ScheduleFailure {
  /**
   * - `unknownWorkflow`: no process that serves the tenant has its workflow.
   * - `invalidInput`: the workflow refuses its input.
   * - `invalidSpec`: its spec is no longer valid, for example because its time zone no longer exists.
   */
  readonly kind: 'invalidInput' | 'invalidSpec' | 'unknownWorkflow';
  /** The cause, as a sentence for people. */
  readonly message: string;
  /** When it could not fire. */
  readonly at: Date;
}

/** What came of one firing, or of a range of firings that were passed over together. */
export interface Firing {
  /** The instant of the schedule; the first one of a range. */
  readonly scheduledFor: Date;
  /** The last instant of a range. */
  readonly until: Date | undefined;
  /** Number of firings in the range, counted to 1,000 unless it is `pruned`; 1 for a single firing. */
  readonly count: number;
  /**
   * - `started`: it started an execution.
   * - `caughtUp`: it started one late, because it had been missed.
   * - `skipped`: the execution before was still running.
   * - `missed`: it was missed, and passed over.
   * - `paused`: the schedule was paused.
   * - `manual`: `runNow` started it.
   * - `backfilled`: `backfill` started it.
   * - `pruned`: the records of this range are deleted, because they were older than 30 days.
   */
  readonly outcome:
    'backfilled' | 'caughtUp' | 'manual' | 'missed' | 'paused' | 'pruned' | 'skipped' | 'started';
  /** The id of the execution that it started; undefined if it started none. */
  readonly executionId: string | undefined;
  /** When it was recorded. */
  readonly firedAt: Date;
}

export function viewSchedule(record: ScheduleRecord): TenantSchedule {
  return {
    name: record.name,
    workflow: record.workflow,
    spec: decodeSpec(record.spec),
    input: record.input === null ? undefined : (JSON.parse(record.input) as JsonObject),
    origin: record.origin,
    state: record.state,
    reason: record.reason ?? undefined,
    lastError:
      record.lastError === null
        ? undefined
        : { ...record.lastError, at: new Date(record.lastError.at) },
    nextAt: dateOf(record.nextFor),
    lastFiredFor: dateOf(record.lastFiredFor),
    lastExecutionId: record.lastExecutionId ?? undefined,
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
  };
}

export function viewFiring(record: FiringRecord): Firing {
  return {
    scheduledFor: new Date(record.scheduledFor),
    until: dateOf(record.until),
    count: record.count,
    outcome: record.outcome,
    executionId: record.executionId ?? undefined,
    firedAt: new Date(record.firedAt),
  };
}

function dateOf(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms);
}
