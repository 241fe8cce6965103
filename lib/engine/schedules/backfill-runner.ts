import type { Clock } from '../../runtime/clock.js';
import { conflictDelay } from '../../runtime/retry-on-conflict.js';
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
  type SchedulePlan,
} from '../../workflow/schedule/index.js';
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
export type BackfillOverlap = 'allow' | 'queue' | 'skip';

/** A backfill, with all that its call has fixed. Instants are in milliseconds since 1970. */
export interface BackfillRange {
  readonly schedule: string;
  /** Tells the schedule from a later one of the same name. */
  readonly createdAt: number;
  /** The stored form of the spec: the instants are those of the call, whatever becomes of the schedule. */
  readonly spec: string;
  /** The last instant. */
  readonly to: number;
  readonly overlap: BackfillOverlap;
}

/** What came of some instants of a backfill. */
export interface BackfilledPart {
  /** The last instant of the part; null if no instant was left. */
  readonly last: number | null;
  readonly matched: number;
  readonly changed: number;
}

export interface BackfillRunnerParts {
  readonly clock: Clock;
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
   * @param after - the instant before the part
   * @param limit - maximum number of instants
   * @returns null if the schedule does not exist any more
   */
  async part(range: BackfillRange, after: number, limit: number): Promise<BackfilledPart | null> {
    const { clock, store } = this.parts;
    const plan = planOfRange(range);
    const size = Math.min(limit, MAX_INSTANTS);
    const instants = nextInstants(plan, after, size).filter((at) => at <= range.to);
    for (let attempt = 0; ; attempt++) {
      const schedule = await store.schedules.get(range.schedule);
      if (schedule?.createdAt !== range.createdAt) return null;
      if (instants.length === 0) return { last: null, matched: 0, changed: 0 };
      const part = await this.send(schedule, plan, instants, range.overlap);
      if (part !== undefined) return part;
      // It has fired or changed in between, or a transaction has locked it.
      await conflictDelay(attempt, clock);
    }
  }

  /** Returns undefined if the schedule has changed since it was read. */
  private async send(
    schedule: ScheduleRecord,
    plan: SchedulePlan,
    all: readonly number[],
    overlap: BackfillOverlap,
  ): Promise<BackfilledPart | undefined> {
    const { store, started } = this.parts;
    const { name, version } = schedule;
    const recorded = await store.schedules.firingsBetween(name, all[0] ?? 0, all.at(-1) ?? 0);
    const requests = new Map<string, StartRequest>();
    const firings: NewFiring[] = [];
    let isRunning = overlap === 'skip' && (await this.isRunning(schedule));
    let [tasks, characters] = [0, 0];
    const isFull = (): boolean => tasks >= MAX_TASKS || characters >= MAX_CHARACTERS;
    for (const scheduledFor of backfillStep(plan, all, recorded).instants) {
      const once = { scheduledFor, dueAt: null, until: null, count: 1 } as const;
      if (isRunning) firings.push({ ...once, outcome: 'skipped', start: null });
      else {
        const request = await this.request(schedule, plan, scheduledFor, overlap);
        requests.set(request.id, request);
        firings.push({ ...once, outcome: 'backfilled', start: toStartItem(request, 0) });
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
    const part = { last, matched: instants.length, changed: requests.size };
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
    return firingRequest(this.parts.runner(), schedule, { at, previousAt, overlap });
  }

  private async isRunning({ lastExecutionId: id }: ScheduleRecord): Promise<boolean> {
    if (id === null) return false;
    const status = (await this.parts.store.statuses([id])).get(id);
    return status !== undefined && !ENDED.has(status);
  }
}

const ENDED: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled']);

/** The plan of the instants. The spec was checked when the schedule was stored. */
export function planOfRange({
  spec,
  createdAt,
}: Pick<BackfillRange, 'createdAt' | 'spec'>): SchedulePlan {
  return backfillPlan(planOf(decodeSpec(spec), createdAt));
}
