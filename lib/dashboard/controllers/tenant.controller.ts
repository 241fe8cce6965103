import { Get, Header, HttpStatus, Inject, Param, Query, Req } from '@nestjs/common';
import type { TenantRequest } from '../../cloacina.options.js';
import type { TenantSchedule } from '../../runner/schedule.js';
import { DashboardAccess } from '../access.js';
import { ExecutionViews, serialized } from '../executions.js';
import type {
  FiringsResponse,
  LimitRow,
  Page,
  PreviewResponse,
  ScheduleRow,
  WorkflowRow,
} from '../http-types.js';
import { DashboardProblem } from '../problem.js';
import { choice, count, date, flag, text, type Fields } from '../query.js';

const MAX_PAGE = 200;
const STATES = ['active', 'paused', 'ended', 'broken'] as const;
const NOT_COMPLETED = ['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled'] as const;

/** Workflows, schedules and limits of one tenant. */
export class TenantController {
  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(ExecutionViews) private readonly views: ExecutionViews,
  ) {}

  @Get('workflows')
  @Header('cache-control', 'no-store')
  async workflows(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
  ): Promise<{ items: WorkflowRow[] }> {
    const { runner } = await this.access.tenant(request, name);
    const [counts, paused] = [
      await runner.counts({ status: [...NOT_COMPLETED] }),
      await runner.pausedWorkflows(),
    ];
    const graphs = new Map(runner.workflows().map((graph) => [graph.name, graph]));
    const names = new Set([
      ...graphs.keys(),
      ...counts.map(({ workflow }) => workflow),
      ...paused.map(({ workflow }) => workflow),
    ]);
    const items = [...names].sort().map((workflow): WorkflowRow => {
      const graph = graphs.get(workflow);
      const pause = paused.find((one) => one.workflow === workflow);
      const byStatus = counts.find((one) => one.workflow === workflow)?.byStatus ?? {};
      return {
        name: workflow,
        ...(graph === undefined ? {} : { graph }),
        ...(pause === undefined
          ? {}
          : {
              paused: {
                ...(pause.reason === undefined ? {} : { reason: pause.reason }),
                since: pause.since.toISOString(),
              },
            }),
        counts: byStatus,
      };
    });
    return { items };
  }

  @Get('schedules')
  @Header('cache-control', 'no-store')
  async schedules(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<Page<ScheduleRow>> {
    const { runner } = await this.access.tenant(request, name);
    const limit = count(query, 'limit', MAX_PAGE) ?? 50;
    const given = {
      workflow: text(query, 'workflow'),
      state: choice(query, 'state', STATES),
      after: text(query, 'after'),
    };
    const found = await runner.schedules.list({ ...defined(given), limit: limit + 1 });
    const items = found.slice(0, limit).map((schedule) => this.schedule(schedule));
    return { items, nextCursor: found.length > limit ? (items.at(-1)?.name ?? null) : null };
  }

  @Get('schedules/:schedule')
  @Header('cache-control', 'no-store')
  async one(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
  ): Promise<ScheduleRow> {
    const { runner } = await this.access.tenant(request, name);
    return this.schedule(await existing(runner.schedules.get(schedule)));
  }

  @Get('schedules/:schedule/firings')
  @Header('cache-control', 'no-store')
  async firings(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Query() query: Fields,
  ): Promise<FiringsResponse> {
    const { runner } = await this.access.tenant(request, name);
    const given = { before: date(query, 'before'), limit: count(query, 'limit', MAX_PAGE) };
    return { firings: serialized(await runner.schedules.firings(schedule, defined(given))) };
  }

  @Get('schedules/:schedule/preview')
  @Header('cache-control', 'no-store')
  async preview(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Query() query: Fields,
  ): Promise<PreviewResponse> {
    const { runner } = await this.access.tenant(request, name);
    const { spec } = await existing(runner.schedules.get(schedule));
    const times = runner.schedules.preview(spec, count(query, 'count', 100) ?? 10);
    return { times: times.map((time) => time.toISOString()) };
  }

  @Get('limits')
  @Header('cache-control', 'no-store')
  async limits(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<Page<LimitRow>> {
    const { runner } = await this.access.tenant(request, name);
    const given = {
      name: text(query, 'name'),
      full: flag(query, 'full'),
      limit: count(query, 'limit', MAX_PAGE),
      cursor: text(query, 'cursor'),
    };
    return serialized(await runner.limits.list(defined(given)));
  }

  private schedule({ input, ...schedule }: TenantSchedule): ScheduleRow {
    return {
      ...serialized(schedule),
      ...(input === undefined ? {} : { input: this.views.values.view(input) }),
    };
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the properties that are undefined. */
function defined<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

async function existing<T>(reading: Promise<T | null>): Promise<T> {
  const value = await reading;
  if (value !== null) return value;
  const detail = 'The tenant has no such schedule.';
  throw new DashboardProblem(HttpStatus.NOT_FOUND, 'UNKNOWN_SCHEDULE', detail);
}
