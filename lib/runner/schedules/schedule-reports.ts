import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { planOf } from '../../engine/schedules/schedule-columns.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import { checkCallOptions } from '../../errors/call-options.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { nextInstants, type ScheduleSpec } from '../../workflow/schedule/index.js';
import type { BulkReply } from '../bulk/bulk-options.js';
import type { ExecutionHandle } from '../execution-handle.js';
import type { ExecutionStarter } from '../execution-starter.js';
import { viewFiring, type Firing } from '../schedule.js';
import { checkLimit, checkName, checkSpec } from '../schedule-request.js';
import type { ServedCalls } from '../served-calls.js';
import { checkDate } from '../start-request.js';
import { BackfillCalls } from './backfill-calls.js';
import type { BackfillOptions } from './backfill-options.js';
import { viewStats, type ScheduleStats } from './schedule-stats.js';

/** Which firings `firings` returns. */
export interface FiringFilter {
  /** Only firings for instants before this one. */
  readonly before?: Date;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}

/** Which firings {@link CloacinaSchedules.stats} counts. */
export interface StatsFilter {
  /** Only firings of the schedule of this name. Default: of all schedules. */
  readonly schedule?: string;
}

const FIRING_OPTIONS: ReadonlySet<string> = new Set<keyof FiringFilter>(['before', 'limit']);
const STATS_OPTIONS: ReadonlySet<string> = new Set<keyof StatsFilter>(['schedule']);

export interface SchedulesParts {
  readonly tenant: string;
  readonly engine: TenantEngine;
  readonly starter: Pick<ExecutionStarter, 'prepare'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
  readonly nameOf: (workflow: WorkflowRef) => string;
  /** @param created - whether the call has started the execution. Default: true */
  readonly handle: (id: string, created?: boolean) => ExecutionHandle;
}

/** The calls of `runner.schedules` about times, past and future. */
export abstract class ScheduleReports {
  /** @internal For the built-in workflow that runs backfills. */
  readonly backfills: BackfillCalls;

  /** @internal */
  constructor(private readonly reported: SchedulesParts) {
    this.backfills = new BackfillCalls(reported);
  }

  /**
   * Starts the executions of a schedule for times that are past, by its expression as it is now: for those before its creation,
   * those that it missed, and those that it passed over. A time that has an execution gets no other, so the call can be repeated. The
   * firings are recorded as `backfilled`. They say nothing about overlaps with the firings to come.
   *
   * Up to 1,000 times are the work of the call itself. For more, up to 10,000, it returns the handle of an execution of the
   * built-in workflow `cloacina.backfill`, which continues in another process if this one dies. To cancel it stops the work
   * between two statements. Executions that were started before continue.
   *
   * @returns `matched`: the number of times; `changed`: the number of those for which an execution was started
   * @throws UnknownScheduleError, InvalidArgumentError
   * @throws DatabaseUnavailableError if the database was unavailable, or others held the schedule's row, for `startTimeout`
   * @example
   * ```ts
   * const day = 86_400_000;
   * await runner.schedules.backfill('nightly-totals', { from: new Date(Date.now() - 30 * day), to: new Date() });
   * ```
   */
  async backfill<O extends BackfillOptions>(name: string, options: O): Promise<BulkReply<O>> {
    const { handle, served } = this.reported;
    const outcome = await served.run(async () => this.backfills.backfill(name, options));
    // The casts rely on the options that the caller gave.
    if ('matched' in outcome) return outcome as BulkReply<O>;
    return handle(outcome.id) as object as BulkReply<O>;
  }

  /**
   * Counts the firings of the tenant's schedules, and the executions that they have started.
   *
   * @param since - only firings that were recorded from then on. Default: all
   * @throws InvalidArgumentError
   * @example
   * ```ts
   * const { fired, skipped, lagMs, executions } = await runner.schedules.stats(new Date(Date.now() - 86_400_000));
   * ```
   */
  stats(since?: Date, filter: StatsFilter = {}): Promise<ScheduleStats> {
    const { engine, served, whileUnavailable } = this.reported;
    return served.run(async () => {
      checkCallOptions('stats()', filter, STATS_OPTIONS);
      const from = since === undefined ? null : checkDate('since', since).getTime();
      if (filter.schedule !== undefined) checkName(filter.schedule, 'schedule');
      const query = { since: from, schedule: filter.schedule ?? null };
      return viewStats(await whileUnavailable.run(() => engine.store.schedules.stats(query)));
    });
  }

  /**
   * The next instants of a spec, without jitter. Fewer than `count` if it ends before. Nothing is stored.
   *
   * @param count - at most 500
   * @throws InvalidArgumentError that names the invalid field
   */
  preview(spec: ScheduleSpec, count: number): Date[] {
    checkSpec(spec);
    const now = this.reported.engine.clock.wallTime();
    return nextInstants(planOf(spec, now), now, checkLimit(count)).map((at) => new Date(at));
  }

  /**
   * Reads what came of the firings of a schedule, the latest first.
   *
   * @throws InvalidArgumentError that names the invalid field
   */
  firings(name: string, filter: FiringFilter = {}): Promise<Firing[]> {
    return this.reported.served.run(async () => {
      checkCallOptions('firings()', filter, FIRING_OPTIONS);
      checkName(name);
      const { before, limit } = filter;
      const query = {
        schedule: name,
        before: before === undefined ? null : checkDate('before', before).getTime(),
        limit: checkLimit(limit),
      };
      const page = await this.reported.whileUnavailable.run(() =>
        this.reported.engine.store.schedules.firings(query),
      );
      return page.map(viewFiring);
    });
  }
}
