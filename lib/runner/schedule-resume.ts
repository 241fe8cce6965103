import { columnsOf, nextFiring, planOf, specOf } from '../engine/schedules/schedule-columns.js';
import type { NewFiring, ScheduleColumns, ScheduleRecord } from '../store/port/index.js';
import { nextInstant } from '../workflow/schedule/index.js';

/** Maximum number of paused firings that are counted. */
const MAX_COUNTED = 1_000;

/** What a change writes into the row of a schedule. */
export interface ScheduleWrite {
  readonly set: ScheduleColumns;
  /** The firings that the change passes over, to be recorded. */
  readonly passed: NewFiring | null;
}

/**
 * A schedule that is resumed. One that is not paused or broken stays as it is.
 *
 * @param catchesUp - whether the firings in the pause count as missed; else they are passed over
 */
export function resumed(known: ScheduleRecord, now: number, catchesUp: boolean): ScheduleWrite {
  const { state, ...kept } = columnsOf(known);
  if (state !== 'paused' && state !== 'broken') return { set: { state, ...kept }, passed: null };
  // The failures before the pause do not count again; see plan-fire.ts.
  const active = { ...kept, state: 'active', reason: null, failures: -1 } as const;
  if (catchesUp || kept.nextFor === null || kept.nextFor > now) {
    return { set: { ...active, state: stateOf(kept) }, passed: null };
  }
  const plan = planOf(specOf(kept), known.createdAt);
  const next = nextFiring(plan, known.name, now);
  const passed = passedBetween(kept.nextFor, now, (at) => nextInstant(plan, at));
  return { set: { ...active, ...next, state: stateOf(next) }, passed };
}

function stateOf({ nextFor }: Pick<ScheduleColumns, 'nextFor'>): 'active' | 'ended' {
  return nextFor === null ? 'ended' : 'active';
}

function passedBetween(
  first: number,
  now: number,
  next: (at: number) => number | undefined,
): NewFiring {
  let [last, count] = [first, 1];
  for (let at = next(first); at !== undefined && at <= now && count < MAX_COUNTED; at = next(at)) {
    last = at;
    count++;
  }
  const until = count === 1 ? null : last;
  return { scheduledFor: first, outcome: 'paused', until, count, start: null };
}
