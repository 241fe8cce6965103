import { countInstants, lastInstant, nextInstant } from './firings.js';
import type { SchedulePlan } from './schedule-plan.js';

/** How far back the instant before another one is searched for, in milliseconds: first, and at most. */
const FIRST_LOOK_BACK = 3_600_000;
const MAX_LOOK_BACK = 20 * 366 * 86_400_000;

/** A recorded firing, or a range of firings that were passed over together. */
export interface RecordedFiring {
  readonly scheduledFor: number;
  /** The last instant of a range; null for a single firing. */
  readonly until: number | null;
  readonly outcome: string;
  readonly executionId: string | null;
}

/** The rest of a range that has lost some of its instants to a backfill. */
export interface RestOfRange<F extends RecordedFiring> {
  readonly of: F;
  readonly scheduledFor: number;
  readonly until: number | null;
  readonly count: number;
}

/** What a backfill does with some instants that follow each other. */
export interface BackfillStep<F extends RecordedFiring> {
  /** The instants without an execution, in their order. */
  readonly instants: readonly number[];
  /** What is left of the ranges that had them. */
  readonly rests: readonly RestOfRange<F>[];
}

/**
 * The plan of a backfill. An interval that counts from the creation of its schedule goes back beyond it, because a backfill
 * is for the time before.
 */
export function backfillPlan(plan: SchedulePlan): SchedulePlan {
  const { rule } = plan;
  return rule.kind === 'every' ? { ...plan, rule: { ...rule, first: -Infinity } } : plan;
}

/**
 * Decides which of some instants of a schedule get an execution: those that have none. An instant that was passed over gets
 * one too, and leaves the range that records it.
 *
 * @param instants - consecutive instants of the plan, at least one
 * An instant whose record is pruned counts as done: it may have had an execution.
 *
 * @param recorded - the firings and ranges that are recorded between them, also in part
 */
export function backfillStep<F extends RecordedFiring>(
  plan: SchedulePlan,
  instants: readonly number[],
  recorded: readonly F[],
): BackfillStep<F> {
  const first = instants[0] ?? Infinity;
  const last = instants.at(-1) ?? -Infinity;
  const done = new Set(
    recorded
      .filter(({ executionId }) => executionId !== null)
      .map(({ scheduledFor }) => scheduledFor),
  );
  const rests: RestOfRange<F>[] = [];
  for (const range of recorded) {
    const { executionId, scheduledFor: from, until } = range;
    if (isPruned(range) || executionId !== null || until === null || until < first || from > last)
      continue;
    // A range of another expression has other instants, so it says nothing about these.
    if (nextInstant(plan, from - 1) !== from) continue;
    const before = from < first ? lastInstant(plan, from, first - 1) : undefined;
    if (before !== undefined) rests.push(restOf(plan, range, from, before));
    const after = until > last ? nextInstant(plan, last) : undefined;
    if (after !== undefined && after <= until) rests.push(restOf(plan, range, after, until));
  }
  const pruned = recorded.filter(isPruned);
  const isDone = (at: number): boolean => done.has(at) || pruned.some((one) => covers(one, at));
  return { instants: instants.filter((at) => !isDone(at)), rests };
}

function isPruned({ outcome }: RecordedFiring): boolean {
  return outcome === 'pruned';
}

function covers({ scheduledFor, until }: RecordedFiring, at: number): boolean {
  return scheduledFor <= at && at <= (until ?? scheduledFor);
}

/** The instant before another one; undefined if there is none within twenty years. */
export function previousInstant(plan: SchedulePlan, at: number): number | undefined {
  for (let back = FIRST_LOOK_BACK; ; back *= 8) {
    const found = lastInstant(plan, at - Math.min(back, MAX_LOOK_BACK), at - 1);
    if (found !== undefined || back >= MAX_LOOK_BACK) return found;
  }
}

function restOf<F extends RecordedFiring>(
  plan: SchedulePlan,
  of: F,
  from: number,
  until: number,
): RestOfRange<F> {
  const count = countInstants(plan, from, until);
  return { of, scheduledFor: from, until: count === 1 ? null : until, count };
}
