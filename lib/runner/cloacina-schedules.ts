import type { EntityManager } from 'typeorm';
import type { JsonObject } from '../discovery/context-types.js';
import type { WorkflowRef } from '../discovery/workflow-ref.js';
import {
  columnsOf,
  nextFiring,
  planOf,
  scheduleColumns,
  specOf,
} from '../engine/schedules/schedule-columns.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import { UnknownScheduleError } from '../errors/index.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type {
  NewFiring,
  ScheduleColumns,
  ScheduleRecord,
  ScheduleTransaction,
} from '../store/port/index.js';
import { nextInstant, nextInstants, type ScheduleSpec } from '../workflow/schedule/index.js';
import { checkReason } from './call-checks.js';
import type { ExecutionHandle } from './execution-handle.js';
import type { ExecutionStarter } from './execution-starter.js';
import { viewFiring, viewSchedule, type Firing, type TenantSchedule } from './schedule.js';
import { checkLimit, checkName, checkSpec, mergeSpec } from './schedule-request.js';
import type { ServedCalls } from './served-calls.js';
import { checkManager } from './start-request.js';

/** Maximum number of paused firings that are counted. */
const MAX_COUNTED = 1_000;

/** Options of a call that changes a schedule. */
export interface ScheduleCallOptions {
  /** The manager of an open transaction of the caller, in which the change is stored. Default: none. */
  readonly manager?: EntityManager;
}

/** A change of a schedule. Fields that are left out stay as they are. */
export interface ScheduleChange extends Partial<ScheduleSpec> {
  readonly input?: JsonObject;
}

/** Which schedules `list` returns. */
export interface ScheduleFilter {
  readonly workflow?: string;
  readonly state?: TenantSchedule['state'];
  readonly origin?: TenantSchedule['origin'];
  /** Only schedules after this name, which the page before has returned last. */
  readonly after?: string;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}

/** Which firings `firings` returns. */
export interface FiringFilter {
  /** Only firings for instants before this one. */
  readonly before?: Date;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}

export interface SchedulesParts {
  readonly tenant: string;
  readonly engine: TenantEngine;
  readonly starter: Pick<ExecutionStarter, 'prepare'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
  readonly nameOf: (workflow: WorkflowRef) => string;
  readonly handle: (id: string) => ExecutionHandle;
}

/**
 * The schedules of one tenant, at `runner.schedules`. Each of their instants has exactly one execution, whatever the number of
 * processes and whichever of them dies when.
 *
 * @example
 * ```ts
 * await runner.schedules.create('weekly-4711', WeeklyReport, { cron: '0 9 * * MON', timezone: 'Europe/Lisbon' }, { customer: 4711 });
 * ```
 */
export class CloacinaSchedules {
  /** @internal Applications use `runner.schedules`. */
  constructor(private readonly parts: SchedulesParts) {}

  /**
   * Creates a schedule, or makes the one of this name what the arguments say. With another spec it counts from now on, and
   * never fires for the past; a paused schedule stays paused.
   *
   * @param name - unique in the tenant, 1 to 200 characters
   * @throws InvalidArgumentError that names the invalid field of the spec
   * @throws UnknownWorkflowError, InvalidContextError as `start` does
   */
  create(
    name: string,
    workflow: WorkflowRef,
    spec: ScheduleSpec,
    input?: JsonObject,
    { manager }: ScheduleCallOptions = {},
  ): Promise<TenantSchedule> {
    return this.parts.served.run(async () => {
      checkName(name);
      checkSpec(spec);
      const transaction = this.within(manager);
      await this.parts.starter.prepare(workflow, input, {});
      const wanted = {
        name,
        spec,
        workflow: this.parts.nameOf(workflow),
        input: input === undefined ? null : JSON.stringify(input),
        origin: 'api' as const,
      };
      return this.put(name, transaction, (known, now) => ({
        set: scheduleColumns(wanted, now, known),
        passed: null,
      }));
    });
  }

  /**
   * Changes the given fields of a schedule. One of `cron`, `every` and `at` replaces the others.
   *
   * @throws UnknownScheduleError, InvalidArgumentError
   */
  update(
    name: string,
    change: ScheduleChange,
    options: ScheduleCallOptions = {},
  ): Promise<TenantSchedule> {
    return this.parts.served.run(async () => {
      const { input, ...fields } = change;
      const transaction = this.within(options.manager);
      return this.put(name, transaction, (known, now) => {
        const { workflow, origin } = this.found(name, known);
        const spec = mergeSpec(specOf(this.found(name, known)), fields);
        checkSpec(spec);
        const kept = this.found(name, known).input;
        const json = input === undefined ? kept : JSON.stringify(input);
        const wanted = { name, spec, workflow, origin, input: json };
        return { set: scheduleColumns(wanted, now, known), passed: null };
      });
    });
  }

  /** Reads a schedule. Returns null if no schedule has this name. */
  get(name: string): Promise<TenantSchedule | null> {
    return this.parts.served.run(async () => {
      const known = await this.parts.whileUnavailable.run(() => this.store.get(name));
      return known === undefined ? null : viewSchedule(known);
    });
  }

  /** Reads schedules in the order of their names. */
  list(filter: ScheduleFilter = {}): Promise<TenantSchedule[]> {
    return this.parts.served.run(async () => {
      const { workflow = null, state = null, origin = null, after = null, limit } = filter;
      const query = { workflow, state, origin, after, limit: checkLimit(limit) };
      const page = await this.parts.whileUnavailable.run(() => this.store.list(query));
      return page.map(viewSchedule);
    });
  }

  /** Stops the firings of a schedule until {@link resume}. Executions that it has started go on. */
  async pause(name: string, reason?: string): Promise<void> {
    const why = checkReason(reason);
    await this.parts.served.run(() =>
      this.put(name, undefined, (known) => ({
        set: { ...columnsOf(this.found(name, known)), state: 'paused', reason: why },
        passed: null,
      })),
    );
  }

  /**
   * Lets a paused or broken schedule fire again. The firings in the pause are passed over, and recorded as `paused`.
   *
   * @param options - with `catchUp: true`, they count as missed instead, and the schedule's `catchUp` decides
   */
  async resume(name: string, options: { readonly catchUp?: boolean } = {}): Promise<void> {
    await this.parts.served.run(() =>
      this.put(name, undefined, (known, now) => {
        const { state, ...kept } = columnsOf(this.found(name, known));
        if (state !== 'paused' && state !== 'broken')
          return { set: { state, ...kept }, passed: null };
        // The failures before the pause do not count again; see plan-fire.ts.
        const active = { ...kept, state: 'active', reason: null, failures: -1 } as const;
        if (options.catchUp === true || kept.nextFor === null || kept.nextFor > now) {
          return {
            set: { ...active, state: kept.nextFor === null ? 'ended' : 'active' },
            passed: null,
          };
        }
        const plan = planOf(specOf(kept), this.found(name, known).createdAt);
        const next = nextFiring(plan, name, now);
        const passed = passedBetween(kept.nextFor, now, (at) => nextInstant(plan, at));
        return {
          set: { ...active, ...next, state: next.nextFor === null ? 'ended' : 'active' },
          passed,
        };
      }),
    );
  }

  /** Deletes a schedule with its firings. Its executions stay. Does nothing if no schedule has this name. */
  async delete(name: string, { manager }: ScheduleCallOptions = {}): Promise<void> {
    const transaction = this.within(manager);
    await this.parts.served.run(() =>
      this.parts.whileUnavailable.run(() => this.store.delete(name, transaction)),
    );
  }

  /**
   * Starts an execution of a schedule now, in any state of the schedule. Its firings go on as before.
   *
   * @throws UnknownScheduleError
   */
  runNow(name: string): Promise<ExecutionHandle> {
    return this.parts.served.run(async () =>
      this.parts.handle(await this.parts.engine.schedules.fireNow(name)),
    );
  }

  /**
   * The next instants of a spec, without jitter. Fewer than `count` if it ends before. Nothing is stored.
   *
   * @param count - at most 500
   * @throws InvalidArgumentError that names the invalid field
   */
  preview(spec: ScheduleSpec, count: number): Date[] {
    checkSpec(spec);
    const now = this.parts.engine.clock.wallTime();
    return nextInstants(planOf(spec, now), now, checkLimit(count)).map((at) => new Date(at));
  }

  /** Reads what came of the firings of a schedule, the latest first. */
  firings(name: string, { before, limit }: FiringFilter = {}): Promise<Firing[]> {
    return this.parts.served.run(async () => {
      const query = { schedule: name, before: before?.getTime() ?? null, limit: checkLimit(limit) };
      const page = await this.parts.whileUnavailable.run(() => this.store.firings(query));
      return page.map(viewFiring);
    });
  }

  private get store(): TenantEngine['store']['schedules'] {
    return this.parts.engine.store.schedules;
  }

  /** The other processes hear of a change at the commit of its transaction. */
  private within(manager: EntityManager | undefined): ScheduleTransaction | undefined {
    const open = checkManager(manager);
    return open === undefined
      ? undefined
      : { manager: open, payload: this.parts.engine.schedules.payload };
  }

  private found(name: string, known: ScheduleRecord | undefined): ScheduleRecord {
    if (known !== undefined) return known;
    throw new UnknownScheduleError(name, this.parts.tenant);
  }

  /** Reads, decides and writes until no firing and no other change has come between. */
  private async put(
    name: string,
    transaction: ScheduleTransaction | undefined,
    decide: (
      known: ScheduleRecord | undefined,
      now: number,
    ) => { readonly set: ScheduleColumns; readonly passed: NewFiring | null },
  ): Promise<TenantSchedule> {
    const { engine, tenant, whileUnavailable } = this.parts;
    const write = async (): Promise<boolean> => {
      const known = await this.store.get(name, transaction);
      const { set, passed } = decide(known, engine.clock.wallTime());
      return known === undefined
        ? this.store.create(name, set, transaction)
        : this.store.change(name, known.version, set, passed, transaction);
    };
    // In a transaction nothing is retried: a failed statement has ended it.
    const attempt = (): Promise<boolean> =>
      transaction === undefined ? whileUnavailable.run(write) : write();
    for (let isDone = false; !isDone;) isDone = await attempt();
    const record = await this.store.get(name, transaction);
    if (record === undefined) throw new UnknownScheduleError(name, tenant);
    engine.schedules.changed(record.nextAt, transaction === undefined);
    return viewSchedule(record);
  }
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
