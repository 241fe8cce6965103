import type { Duration } from '../duration.js';

/**
 * What happens to firings that were missed, because no process ran:
 * - `skip`: they are passed over.
 * - `once`: the latest of them is fired, unless one is due just now.
 * - `{ all: n }`: they are fired, the oldest first. Of more than `n`, the latest ones.
 *
 * What was passed over is recorded.
 */
export type CatchUp = 'once' | 'skip' | { readonly all: number };

/**
 * What happens to a firing while the execution of the firing before still runs:
 * - `allow`: it starts another one.
 * - `skip`: it starts nothing, and is recorded as skipped.
 * - `queue`: its execution waits for its turn. The executions of the schedule run one after the other.
 * - `cancelPrevious`: the execution before is cancelled, and its own takes its place.
 */
export type Overlap = 'allow' | 'cancelPrevious' | 'queue' | 'skip';

/** When a schedule fires, and how. Exactly one of `cron`, `every` and `at` is given. */
export interface ScheduleSpec {
  /**
   * A cron expression of 5 fields, or of 6 with seconds first, or a nickname: `@hourly`, `@daily`, `@weekly`, `@monthly`,
   * `@yearly`. `L`, `#` and `W` are supported.
   *
   * An expression that allows every hour counts elapsed time. Any other fires once for each local time: at the change of
   * the clock if the time is skipped that day, and the first time if it is repeated.
   */
  readonly cron?: string;
  /** The time between firings, at least a second. Changes of the clock do not matter. */
  readonly every?: Duration;
  /** One firing at this instant. */
  readonly at?: Date;
  /** The IANA name of the time zone of `cron`, such as `Europe/Lisbon`. Default: `UTC`. */
  readonly timezone?: string;
  /**
   * Whether `every` counts from 1970 in UTC, so that `'15m'` fires at :00, :15, :30 and :45. Default: it counts from
   * `startAt`, or from the creation of the schedule.
   */
  readonly aligned?: boolean;
  /** No firing is before it. */
  readonly startAt?: Date;
  /** No firing is after it. */
  readonly endAt?: Date;
  /** Each firing is late by up to this, at most a day, so that many schedules do not fire at one instant. Default: 0. */
  readonly jitter?: Duration;
  /** What happens to missed firings. Default: `'once'`. */
  readonly catchUp?: CatchUp;
  /** Firings that were missed by more than this are passed over. Default: `'1d'`. */
  readonly catchUpWindow?: Duration;
  /** What happens to a firing while the execution before still runs. Default: `'skip'`. */
  readonly overlap?: Overlap;
  /**
   * Cancels an execution of the schedule that has not begun within this time after it was started, for example because it
   * waits for its turn or for a free slot. Those of a backfill wait as long as they must. Default: it waits as long as it must.
   */
  readonly startBefore?: Duration;
  /** Pauses the schedule when this many of its executions have failed one after the other. Default: never. */
  readonly pauseAfterFailures?: number;
}

/** The stored form of a spec: JSON, with instants in ISO 8601. */
export function encodeSpec(spec: ScheduleSpec): string {
  return JSON.stringify(spec);
}

const INSTANTS = new Set(['at', 'startAt', 'endAt']);

/** Parses the stored form. */
export function decodeSpec(stored: string): ScheduleSpec {
  const spec = JSON.parse(stored) as Record<string, unknown>;
  for (const [field, value] of Object.entries(spec)) {
    if (INSTANTS.has(field)) spec[field] = new Date(value as string);
  }
  return spec;
}
