import { InvalidArgumentError } from '../../errors/index.js';
import type { ScheduleColumns, ScheduleRecord } from '../../store/port/index.js';
import {
  decodeSpec,
  dueTime,
  encodeSpec,
  nextInstant,
  planSchedule,
  type SchedulePlan,
  type ScheduleSpec,
} from '../../workflow/schedule/index.js';

/** What a schedule is to be. */
export interface WantedSchedule extends Pick<ScheduleColumns, 'input' | 'origin' | 'workflow'> {
  readonly name: string;
  readonly spec: ScheduleSpec;
}

/**
 * The columns of a schedule that is created or changed now. A new spec counts from now on: it never fires for the past. With
 * the spec that it has, a schedule keeps its next firing, also one that is overdue.
 *
 * @param known - the stored schedule
 */
export function scheduleColumns(
  { name, spec, workflow, input, origin }: WantedSchedule,
  now: number,
  known?: ScheduleRecord,
): ScheduleColumns {
  const stored = encodeSpec(spec);
  const isPaused = known?.state === 'paused';
  const keeps = known?.spec === stored && known.nextFor !== null;
  const next = keeps
    ? { nextFor: known.nextFor, nextAt: known.nextAt }
    : nextFiring(
        planOf(spec, known?.createdAt ?? now),
        name,
        Math.max(now, known?.lastFiredFor ?? 0),
      );
  return {
    workflow,
    spec: stored,
    input,
    origin,
    state: isPaused ? 'paused' : next.nextFor === null ? 'ended' : 'active',
    reason: isPaused ? known.reason : null,
    ...next,
    lastError: null,
    // The time that the next firing was computed from: another one would make the first interval shorter or longer.
    createdAt: known?.createdAt ?? now,
  };
}

/** The first firing after an instant. */
export function nextFiring(
  plan: SchedulePlan,
  name: string,
  after: number,
): Pick<ScheduleColumns, 'nextAt' | 'nextFor'> {
  const next = nextInstant(plan, after);
  if (next === undefined) return { nextFor: null, nextAt: null };
  return { nextFor: next, nextAt: dueTime(plan, name, next) };
}

/**
 * The plan of a spec that was checked when it was stored.
 *
 * @throws InvalidArgumentError if it is not valid any more, for example because its time zone does not exist any more
 */
export function planOf(spec: ScheduleSpec, createdAt: number): SchedulePlan {
  const plan = planSchedule(spec, createdAt);
  if (!('problems' in plan)) return plan;
  const [first] = plan.problems;
  throw new InvalidArgumentError(first?.field ?? 'spec', first?.problem ?? 'is not valid');
}

/** The columns of the stored schedule, to change some of them. */
export function columnsOf(known: ScheduleRecord): ScheduleColumns {
  const { workflow, spec, input, origin, state, reason, nextFor, nextAt, lastError } = known;
  return { workflow, spec, input, origin, state, reason, nextFor, nextAt, lastError };
}

export function specOf({ spec }: Pick<ScheduleRecord, 'spec'>): ScheduleSpec {
  return decodeSpec(spec);
}
