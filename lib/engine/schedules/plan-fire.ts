import { CloacinaError, InvalidArgumentError } from '../../errors/index.js';
import type {
  DueSchedule,
  NewFiring,
  ScheduleErrorKind,
  ScheduleFire,
  ScheduleRecord,
  StartItem,
} from '../../store/port/index.js';
import {
  decodeSpec,
  dueFirings,
  dueTime,
  planSchedule,
  type CatchUp,
  type MissedFirings,
  type SchedulePlan,
} from '../../workflow/schedule/index.js';
import type { FiringFacts } from './firing-request.js';

/** Statuses of an execution that has not ended. */
const OPEN: ReadonlySet<string | null> = new Set(['Pending', 'Running', 'Paused', 'Finishing']);

/** How the firings in a pause are treated when it ends. */
export interface ResumedFirings {
  readonly catchUp?: CatchUp;
  readonly passedAs?: 'missed' | 'paused';
}

/** Makes the execution of a firing. */
export type MakeStart = (schedule: DueSchedule, firing: FiringFacts) => Promise<StartItem>;

/** The codes of errors that say that an execution can't be started until a person has changed something. */
const UNUSABLE: ReadonlyMap<string, ScheduleErrorKind> = new Map([
  ['CONTEXT_TOO_LARGE', 'invalidInput'],
  ['INVALID_ARGUMENT', 'invalidInput'],
  ['INVALID_CONTEXT', 'invalidInput'],
  ['UNKNOWN_WORKFLOW', 'unknownWorkflow'],
]);

/**
 * Decides how a schedule changes whose next firing is due. The row says what has happened, so every process decides the
 * same; which of them does it, the version decides.
 *
 * @param of.catchUp - the policy for missed firings. Default: that of the spec
 * @param of.passedAs - how the firings that it leaves out are recorded
 * @throws the error of `makeStart`, unless it shows that the workflow or the input is not usable, which breaks the schedule
 */
export async function planFire(
  schedule: DueSchedule,
  makeStart: MakeStart,
  { catchUp, passedAs = 'missed' }: ResumedFirings = {},
): Promise<ScheduleFire> {
  const { name, nextFor, now } = schedule;
  const own = planSchedule(decodeSpec(schedule.spec), schedule.createdAt);
  if ('problems' in own) {
    const problems = own.problems.map((one) => `${one.field} ${one.problem}`);
    return broken(schedule, 'invalidSpec', `${problems.join('; ')}.`);
  }
  const plan = catchUp === undefined ? own : { ...own, catchUp };
  if (nextFor === null) return unchanged(schedule, { state: 'ended' });
  if (schedule.hasFailed) {
    const count = plan.pauseAfterFailures;
    const reason = `${count} ${count === 1 ? 'execution has' : 'executions have'} failed one after the other.`;
    return unchanged(schedule, { state: 'paused', reason });
  }
  const { due, missed, next } = dueFirings(plan, name, nextFor, now);
  const fire = new FireBuilder(schedule);
  if (missed !== undefined) fire.passedOver(passedAs, missed);
  try {
    for (const { at, isCaughtUp } of due) {
      if (plan.overlap === 'skip' && fire.isRunning) fire.skipped(at);
      else {
        const { overlap, startBeforeMs } = plan;
        const facts = { at, previousAt: fire.lastFiredFor, overlap, startBeforeMs };
        const start = await makeStart(schedule, facts);
        fire.started(at, { isCaughtUp, dueAt: dueTime(plan, name, at), start });
      }
    }
  } catch (error) {
    const kind = kindOf(error);
    if (kind === undefined) throw error;
    return broken(schedule, kind, (error as CloacinaError).message);
  }
  return fire.build(next, plan);
}

function kindOf(error: unknown): ScheduleErrorKind | undefined {
  if (error instanceof InvalidArgumentError && error.argument === 'overlap') return 'invalidSpec';
  return error instanceof CloacinaError ? UNUSABLE.get(error.code) : undefined;
}

/** A firing that a caller asks for. It counts as the one before for the overlap of the next. */
export function fireManually(schedule: ScheduleRecord, at: number, start: StartItem): ScheduleFire {
  const firing = { ...ONE, scheduledFor: at, outcome: 'manual', start } as const;
  return unchanged(schedule, { lastExecutionId: start.id, firings: [firing] });
}

/** A firing that a caller asks for, and that is left out because another execution runs. */
export function skipManually(schedule: ScheduleRecord, at: number): ScheduleFire {
  const firing = { ...ONE, scheduledFor: at, outcome: 'skipped', start: null } as const;
  return unchanged(schedule, { firings: [firing] });
}

function unchanged(schedule: ScheduleRecord, change: Partial<ScheduleFire>): ScheduleFire {
  const { name, version, state, reason, nextFor, nextAt, lastError } = schedule;
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
    lastError,
    firings: [],
    ...change,
  };
}

/** It keeps its next firing, so the catch-up policy decides about the firings that it misses until it is mended. */
function broken(schedule: DueSchedule, kind: ScheduleErrorKind, message: string): ScheduleFire {
  const lastError = { kind, message, at: schedule.now };
  return unchanged(schedule, { state: 'broken', reason: message, lastError });
}

/** Collects the firings of one schedule. */
class FireBuilder {
  lastFiredFor: number | null;
  isRunning: boolean;
  private hasStarted = false;
  private lastExecutionId: string | null;
  private readonly firings: NewFiring[] = [];

  constructor(private readonly schedule: DueSchedule) {
    this.lastFiredFor = schedule.lastFiredFor;
    this.lastExecutionId = schedule.lastExecutionId;
    this.isRunning = OPEN.has(schedule.lastStatus);
  }

  passedOver(outcome: 'missed' | 'paused', { first, last, count }: MissedFirings): void {
    const until = count === 1 ? null : last;
    this.firings.push({ ...ONE, scheduledFor: first, outcome, until, count, start: null });
  }

  skipped(at: number): void {
    this.firings.push({ ...ONE, scheduledFor: at, outcome: 'skipped', start: null });
  }

  started(
    at: number,
    {
      isCaughtUp,
      dueAt,
      start,
    }: { readonly isCaughtUp: boolean; readonly dueAt: number; readonly start: StartItem },
  ): void {
    const outcome = isCaughtUp ? 'caughtUp' : 'started';
    this.firings.push({ ...ONE, scheduledFor: at, outcome, dueAt, start });
    this.lastFiredFor = at;
    this.lastExecutionId = start.id;
    this.isRunning = true;
    this.hasStarted = true;
  }

  build(next: number | undefined, plan: SchedulePlan): ScheduleFire {
    const { lastFiredFor, lastExecutionId, firings, schedule } = this;
    return unchanged(schedule, {
      state: next === undefined ? 'ended' : 'active',
      reason: null,
      nextFor: next ?? null,
      nextAt: next === undefined ? null : dueTime(plan, schedule.name, next),
      lastFiredFor,
      lastExecutionId,
      lastError: this.hasStarted ? null : schedule.lastError,
      firings,
    });
  }
}

const ONE = { dueAt: null, until: null, count: 1 } as const;
