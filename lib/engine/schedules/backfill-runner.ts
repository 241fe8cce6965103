import type {
  ExecutionStore,
  NewFiring,
  ScheduleRecord,
  ScheduleStore,
} from '../../store/port/index.js';
import {
  backfillPlan,
  backfillStep,
  decodeSpec,
  nextInstants,
  previousInstant,
  type Overlap,
  type SchedulePlan,
} from '../../workflow/schedule/index.js';
import { isExecutionEnded, type ExecutionStatus } from '../../workflow/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import { toStartItem } from '../starts/start-item.js';
import type { StartRequest } from '../starts/start-request.js';
import { firingRequest } from './firing-request.js';
import { planOf } from './schedule-columns.js';
import type { StartedFirings } from './started-firings.js';

/** Instants, and about as many rows of tasks, of one statement. */
const MAX_INSTANTS = 500;
const MAX_TASKS = 5_000;
/** Characters of the inputs of one statement. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** What happens to an instant while the execution of the one before still runs. */
export type BackfillOverlap = Overlap;

/** A backfill, with all that its call has fixed. Instants are in milliseconds since 1970. */
export interface BackfillRange {
  readonly schedule: string;
  /** Tells the schedule from a later one of the same name. */
  readonly createdAt: number;
  /** The stored form of the spec: the instants are those of the call, even if the schedule changes. */
  readonly spec: string;
  /** The last instant. */
  readonly to: number;
  readonly overlap: BackfillOverlap;
}

/** Where a part of a backfill begins. */
export interface BackfillPosition {
  /** The instant before the part. */
  readonly after: number;
  /** The execution of the last instant before the part that has one; null if the backfill has met none. */
  readonly lastExecutionId: string | null;
}

/** What came of some instants of a backfill. */
export interface BackfilledPart {
  /** Where the next part begins; null if no instant was left. */
  readonly next: BackfillPosition | null;
  readonly matched: number;
  readonly changed: number;
}

export interface BackfillRunnerParts {
  readonly store: Pick<ExecutionStore, 'statuses'> & {
    readonly schedules: Pick<ScheduleStore, 'backfill' | 'firingsBetween' | 'get'>;
  };
  readonly runner: () => Pick<ChildRunner, 'prepareStart'>;
  readonly started: StartedFirings;
}

/** Starts the executions of a schedule for times that are past. */
export class BackfillRunner {
  constructor(private readonly parts: BackfillRunnerParts) {}

  /**
   * Starts the executions of some instants, in one statement. An instant that has an execution is passed over, so a part
   * that is repeated starts nothing twice.
   *
   * @param limit - maximum number of instants
   * @returns null if the schedule no longer exists; undefined if it has fired or changed in between, or a transaction
   *   has locked it. Then call it again
   */
  async part(
    range: BackfillRange,
    position: BackfillPosition,
    limit: number,
  ): Promise<BackfilledPart | null | undefined> {
    const plan = planOfRange(range);
    const size = Math.min(limit, MAX_INSTANTS);
    const instants = nextInstants(plan, position.after, size).filter((at) => at <= range.to);
    const schedule = await this.parts.store.schedules.get(range.schedule);
    if (schedule?.createdAt !== range.createdAt) return null;
    if (instants.length === 0) return { next: null, matched: 0, changed: 0 };
    return this.send(schedule, plan, instants, {
      overlap: range.overlap,
      lastExecutionId: position.lastExecutionId ?? schedule.lastExecutionId,
    });
  }

  /** Returns undefined if the schedule has changed since it was read. */
  private async send(
    schedule: ScheduleRecord,
    plan: SchedulePlan,
    all: readonly number[],
    {
      overlap,
      ...before
    }: Pick<BackfillPosition, 'lastExecutionId'> & Pick<BackfillRange, 'overlap'>,
  ): Promise<BackfilledPart | undefined> {
    const { store, started } = this.parts;
    const { name, version } = schedule;
    const recorded = await store.schedules.firingsBetween(name, all[0] ?? 0, all.at(-1) ?? 0);
    const requests = new Map<string, StartRequest>();
    const firings: NewFiring[] = [];
    const known = new Map(recorded.map((one) => [one.scheduledFor, one.executionId]));
    const open = new Set(backfillStep(plan, all, recorded).instants);
    let { lastExecutionId } = before;
    const unfinished =
      overlap === 'skip' ? await this.unfinished([lastExecutionId, ...known.values()]) : NONE;
    let isRunning = unfinished.has(lastExecutionId);
    let [tasks, characters] = [0, 0];
    const isFull = (): boolean => tasks >= MAX_TASKS || characters >= MAX_CHARACTERS;
    for (const scheduledFor of all) {
      const executionId = known.get(scheduledFor) ?? null;
      if (executionId !== null) {
        lastExecutionId = executionId;
        isRunning = unfinished.has(executionId);
        continue;
      }
      if (!open.has(scheduledFor)) continue;
      const once = { scheduledFor, dueAt: null, until: null, count: 1 } as const;
      if (isRunning) firings.push({ ...once, outcome: 'skipped', start: null });
      else {
        const request = await this.request(schedule, plan, scheduledFor, overlap);
        requests.set(request.id, request);
        firings.push({ ...once, outcome: 'backfilled', start: toStartItem(request, 0) });
        lastExecutionId = request.id;
        isRunning = overlap === 'skip';
        tasks += request.definition.plan.priorities.length;
        characters += request.input.length;
        if (isFull()) break;
      }
    }
    const last = (isFull() ? firings.at(-1)?.scheduledFor : all.at(-1)) ?? 0;
    const instants = all.filter((at) => at <= last);
    const { rests } = backfillStep(plan, instants, recorded);
    for (const { of, ...rest } of rests) {
      firings.push({ ...rest, outcome: of.outcome, dueAt: null, start: null });
    }
    const next = { after: last, lastExecutionId };
    const part = { next, matched: instants.length, changed: requests.size };
    if (firings.length === 0) return part;
    const reply = await store.schedules.backfill({ schedule: name, version, firings });
    if (reply.fired[0] !== true) return undefined;
    started.stored(firings, reply, requests);
    return part;
  }

  /** A late run computes for the time from the instant before, whether or not that one has fired. */
  private request(
    schedule: ScheduleRecord,
    plan: SchedulePlan,
    at: number,
    overlap: BackfillOverlap,
  ): Promise<StartRequest> {
    const previousAt = previousInstant(plan, at) ?? null;
    return firingRequest(this.parts.runner(), schedule, {
      at,
      previousAt,
      overlap,
      startBeforeMs: undefined,
    });
  }

  /** Those of the executions that have not ended. */
  private async unfinished(
    executions: readonly (string | null)[],
  ): Promise<ReadonlySet<string | null>> {
    const ids = executions.filter((id) => id !== null);
    if (ids.length === 0) return NONE;
    const statuses = await this.parts.store.statuses(ids);
    const hasEnded = (id: string): boolean =>
      isExecutionEnded((statuses.get(id) ?? 'Cancelled') as ExecutionStatus);
    return new Set(ids.filter((id) => !hasEnded(id)));
  }
}

const NONE: ReadonlySet<string | null> = new Set();

/** The plan of the instants. The spec was checked when the schedule was stored. */
export function planOfRange({
  spec,
  createdAt,
}: Pick<BackfillRange, 'createdAt' | 'spec'>): SchedulePlan {
  return backfillPlan(planOf(decodeSpec(spec), createdAt));
}
