import { DatabaseUnavailableError, UnknownScheduleError } from '../../errors/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type {
  ExecutionStore,
  FireReply,
  ScheduleFire,
  ScheduleRecord,
  ScheduleStore,
} from '../../store/port/index.js';
import { isExecutionEnded, parseDuration, type ExecutionStatus } from '../../workflow/index.js';
import {
  decodeSpec,
  nextInstant,
  planSchedule,
  type Overlap,
} from '../../workflow/schedule/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import { toStartItem } from '../starts/start-item.js';
import type { StartRequest } from '../starts/start-request.js';
import { firingRequest } from './firing-request.js';
import { fireManually, skipManually } from './plan-fire.js';
import type { StartedFirings } from './started-firings.js';

export interface ManualFiringParts {
  readonly tenant: string;
  readonly store: FailureClassifier &
    Pick<ExecutionStore, 'statuses'> & {
      readonly schedules: Pick<ScheduleStore, 'fire' | 'get' | 'now'>;
    };
  readonly runner: () => Pick<ChildRunner, 'prepareStart'>;
  /** Makes the schedules of the code those of the tenant, once; returns whether it had to be done. */
  readonly reconcileFirst: () => Promise<boolean>;
  readonly started: Pick<StartedFirings, 'begun' | 'stored'>;
}

/** What the caller asks for. */
export interface ManualFiringCall {
  /** The name of the schedule. */
  readonly name: string;
  /** The id of the execution. */
  readonly id: string;
  /** `skip`: starts nothing while another execution runs. Default: that of the schedule if its executions take turns, or else `allow`. */
  readonly overlap?: Overlap | undefined;
}

/**
 * One execution of a schedule that a caller asks for. It has one id in all attempts, so an attempt whose reply was lost is
 * found by it, and two calls are two executions.
 */
export class ManualFiring {
  /** The latest request that was sent. */
  private request: StartRequest | undefined;
  private mayBeStored = false;
  /** The execution that runs, if this one is left out because of it, and the moment for which that is recorded. */
  private running: string | undefined;
  private skippedAt: number | undefined;

  constructor(
    private readonly parts: ManualFiringParts,
    private readonly call: ManualFiringCall,
  ) {}

  /** The id of the execution; that of the one which runs if the policy is `skip`. */
  get id(): string {
    return this.running ?? this.call.id;
  }

  /** Whether another execution runs, and so this one was not started. */
  get isSkipped(): boolean {
    return this.running !== undefined;
  }

  /**
   * Starts the execution, or leaves it out. Returns false if it did neither, because the schedule has fired or changed in between,
   * or because another transaction has locked its row. Then call it again.
   *
   * @throws UnknownScheduleError if no schedule has the name
   */
  async attempt(): Promise<boolean> {
    const { name, id, overlap } = this.call;
    const { runner, store, tenant } = this.parts;
    if (this.mayBeStored && (await this.isStored())) return true;
    let schedule = await store.schedules.get(name);
    // The code may declare it, and this process has not looked at the schedules since it was started.
    if (schedule === undefined && (await this.parts.reconcileFirst()))
      schedule = await store.schedules.get(name);
    if (schedule === undefined) throw new UnknownScheduleError(name, tenant);
    const at = besideInstants(schedule, await store.schedules.now());
    const spec = decodeSpec(schedule.spec);
    const running = overlap === 'skip' ? await this.runningOf(schedule) : undefined;
    if (running !== undefined) return this.skip(schedule, running, at);
    const prepared = await firingRequest(runner(), schedule, {
      at,
      previousAt: schedule.lastFiredFor,
      overlap: overlap ?? turnPolicy(spec.overlap),
      startBeforeMs: parseDuration(spec.startBefore),
    });
    this.request = { ...prepared, id };
    const { fired } = await this.send(fireManually(schedule, at, toStartItem(this.request, 0)));
    if (fired[0] !== true) return false;
    this.mayBeStored = true;
    // If another call has recorded a firing for this millisecond, the schedule has moved, but nothing was started.
    this.mayBeStored = await this.isStored();
    return this.mayBeStored;
  }

  /** The error of a call that gave up: it says so if the execution may be stored. */
  explain(error: unknown): unknown {
    if (!this.mayBeStored || !(error instanceof DatabaseUnavailableError)) return error;
    const { tenant } = this.parts;
    const { waitedMs, reached } = error;
    return new DatabaseUnavailableError(
      {
        tenant,
        waitedMs,
        reached,
        mayBeWritten: true,
        explanation:
          `Schedule ${JSON.stringify(this.call.name)} of tenant ${JSON.stringify(tenant)} may or may not have been run: the ` +
          `connection was lost after the start was sent, and it could not be looked up within ${waitedMs} ms. When the ` +
          `database is back, look for it with get('${this.id}') before you run it again.`,
      },
      { cause: error.cause },
    );
  }

  /** The latest execution of the schedule, if it has not ended. A later one would have moved the schedule. */
  private async runningOf({ lastExecutionId }: ScheduleRecord): Promise<string | undefined> {
    if (lastExecutionId === null) return undefined;
    const status = (await this.parts.store.statuses([lastExecutionId])).get(lastExecutionId);
    const hasEnded = status === undefined || isExecutionEnded(status as ExecutionStatus);
    return hasEnded ? undefined : lastExecutionId;
  }

  /** Records that nothing was started, once, also after a lost reply. */
  private async skip(schedule: ScheduleRecord, running: string, at: number): Promise<boolean> {
    this.skippedAt ??= at;
    const skip = skipManually(schedule, this.skippedAt);
    const { fired } = await this.parts.store.schedules.fire([skip]);
    if (fired[0] !== true) return false;
    this.running = running;
    return true;
  }

  private async send(fire: ScheduleFire): Promise<FireReply> {
    const { started, store } = this.parts;
    try {
      const reply = await store.schedules.fire([fire]);
      started.stored([], reply, new Map());
      return reply;
    } catch (error) {
      this.mayBeStored ||= store.classifyFailure(error).mayBeWritten;
      throw error;
    }
  }

  private async isStored(): Promise<boolean> {
    const { started, store } = this.parts;
    const isStored = (await store.statuses([this.id])).has(this.id);
    if (isStored && this.request !== undefined) started.begun(this.request);
    return isStored;
  }
}

/**
 * The moment `at`, or the millisecond after it if `at` is an instant of the schedule: one firing is recorded for each moment, and
 * that of the instant is the schedule's own.
 */
function besideInstants({ spec, createdAt }: ScheduleRecord, at: number): number {
  const plan = planSchedule(decodeSpec(spec), createdAt);
  const isInstant = !('problems' in plan) && nextInstant(plan, at - 1) === at;
  return isInstant ? at + 1 : at;
}

/** The policy of an execution beside the schedule's firings: only turns hold for it too. */
function turnPolicy(overlap: Overlap | undefined): Overlap {
  return overlap === 'queue' || overlap === 'cancelPrevious' ? overlap : 'allow';
}
