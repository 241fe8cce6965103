import type {
  DueSchedule,
  NewFiring,
  ScheduleFire,
  ScheduleRecord,
  StartItem,
} from '../../store/port/index.js';
import {
  decodeSpec,
  dueFirings,
  dueTime,
  planSchedule,
  type SchedulePlan,
} from '../../workflow/schedule/index.js';

/** Statuses of an execution that has not ended. */
const OPEN: ReadonlySet<string | null> = new Set(['Pending', 'Running', 'Paused', 'Finishing']);

/** Makes the execution of a firing. */
export type MakeStart = (
  schedule: DueSchedule,
  firing: { readonly at: number; readonly previousAt: number | null },
) => Promise<StartItem>;

/**
 * Decides what becomes of a schedule whose next firing is due. The row says what has happened, so every process decides the
 * same; which of them does it, the version decides.
 */
export async function planFire(schedule: DueSchedule, makeStart: MakeStart): Promise<ScheduleFire> {
  const { name, nextFor, now } = schedule;
  const plan = planSchedule(decodeSpec(schedule.spec), schedule.createdAt);
  if ('problems' in plan) {
    return broken(schedule, plan.problems.map((one) => `${one.field} ${one.problem}`).join('; '));
  }
  if (nextFor === null) return unchanged(schedule, { state: 'ended' });
  const failures = failuresOf(schedule);
  if (failures >= plan.pauseAfterFailures) {
    const reason = `${failures} executions have failed one after the other.`;
    return unchanged(schedule, { state: 'paused', reason, failures });
  }
  const { due, missed, next } = dueFirings(plan, name, nextFor, now);
  const fire = new FireBuilder(schedule);
  if (missed !== undefined) fire.passedOver(missed);
  try {
    for (const { at, isCaughtUp } of due) {
      if (plan.overlap === 'skip' && fire.isRunning) fire.skipped(at);
      else {
        const start = await makeStart(schedule, { at, previousAt: fire.lastFiredFor });
        fire.started(at, isCaughtUp, start);
      }
    }
  } catch (error) {
    return broken(schedule, (error as Error).message);
  }
  return fire.build(next, plan, fire.hasStarted ? failures : schedule.failures);
}

/** A firing that a caller asks for. It counts as the one before for the overlap of the next. */
export function fireManually(schedule: ScheduleRecord, at: number, start: StartItem): ScheduleFire {
  const firing = { ...ONE, scheduledFor: at, outcome: 'manual', start } as const;
  return unchanged(schedule, { lastExecutionId: start.id, firings: [firing] });
}

/**
 * The number of executions that have failed one after the other. It is counted when the next one is due. A resumed schedule
 * has -1, so that the failures before are not counted again.
 */
function failuresOf({ failures, lastStatus }: DueSchedule): number {
  if (lastStatus === 'Failed') return failures + 1;
  return lastStatus === 'Completed' ? 0 : failures;
}

function unchanged(schedule: ScheduleRecord, change: Partial<ScheduleFire>): ScheduleFire {
  const { name, version, state, reason, nextFor, nextAt, failures } = schedule;
  const { lastFiredFor, lastExecutionId } = schedule;
  return {
    name,
    version,
    state,
    reason,
    nextFor,
    nextAt,
    lastFiredFor,
    lastExecutionId,
    failures,
    firings: [],
    ...change,
  };
}

/** It keeps its next firing, so the catch-up policy decides about what it misses until it is mended. */
function broken(schedule: DueSchedule, reason: string): ScheduleFire {
  return unchanged(schedule, { state: 'broken', reason });
}

/** Collects the firings of one schedule. */
class FireBuilder {
  lastFiredFor: number | null;
  isRunning: boolean;
  hasStarted = false;
  private lastExecutionId: string | null;
  private readonly firings: NewFiring[] = [];

  constructor(private readonly schedule: DueSchedule) {
    this.lastFiredFor = schedule.lastFiredFor;
    this.lastExecutionId = schedule.lastExecutionId;
    this.isRunning = OPEN.has(schedule.lastStatus);
  }

  passedOver({ first, last, count }: { first: number; last: number; count: number }): void {
    const until = count === 1 ? null : last;
    this.firings.push({ scheduledFor: first, outcome: 'missed', until, count, start: null });
  }

  skipped(at: number): void {
    this.firings.push({ ...ONE, scheduledFor: at, outcome: 'skipped', start: null });
  }

  started(at: number, isCaughtUp: boolean, start: StartItem): void {
    const outcome = isCaughtUp ? 'caughtUp' : 'started';
    this.firings.push({ ...ONE, scheduledFor: at, outcome, start });
    this.lastFiredFor = at;
    this.lastExecutionId = start.id;
    this.isRunning = true;
    this.hasStarted = true;
  }

  build(next: number | undefined, plan: SchedulePlan, failures: number): ScheduleFire {
    const { lastFiredFor, lastExecutionId, firings, schedule } = this;
    return unchanged(schedule, {
      state: next === undefined ? 'ended' : 'active',
      nextFor: next ?? null,
      nextAt: next === undefined ? null : dueTime(plan, schedule.name, next),
      lastFiredFor,
      lastExecutionId,
      failures,
      firings,
    });
  }
}

const ONE = { until: null, count: 1 } as const;
