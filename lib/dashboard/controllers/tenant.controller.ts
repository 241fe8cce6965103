import { Get, Header, HttpStatus, Inject, Param, Query, Req } from '@nestjs/common';
import type { TenantRequest } from '../../cloacina.callbacks.js';
import type { TenantSchedule } from '../../runner/schedule.js';
import type { Tenant } from '../../tenants/hosting/tenant.js';
import { DashboardAccess } from '../access.js';
import { ExecutionViews, serialized } from '../executions.js';
import type {
  ActionsResponse,
  FiringsResponse,
  LimitsResponse,
  PreviewResponse,
  ScheduleRow,
  SchedulesResponse,
  VersionsResponse,
  WorkflowRow,
  WorkflowsResponse,
} from '../http-types.js';
import { DashboardProblem } from '../problem.js';
import { choice, count, date, flag, text, type Fields } from '../query.js';
import { TenantReads } from '../tenant-reads.js';

const MAX_PAGE = 200;
/** How many keys are looked at for a page of full ones, about. */
const KEYS_LOOKED_AT = 2_000;
const STATES = ['active', 'paused', 'ended', 'broken'] as const;
const NOT_COMPLETED = ['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled'] as const;

/** Workflows, schedules and limits of one tenant. */
export class TenantController {
  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(ExecutionViews) private readonly views: ExecutionViews,
    @Inject(TenantReads) private readonly reads: TenantReads,
  ) {}

  @Get('workflows')
  @Header('cache-control', 'no-store')
  async workflows(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
  ): Promise<WorkflowsResponse> {
    const tenant = await this.access.tenant(request, name);
    const { runner } = tenant;
    const { counts, paused } = await this.reads.now(tenant, 'workflows', async () => ({
      counts: await runner.statistics.byWorkflow(),
      paused: await runner.pausedWorkflows(),
    }));
    const graphs = new Map(runner.workflows().map((graph) => [graph.name, graph]));
    const names = new Set([
      ...graphs.keys(),
      ...counts.workflows.map(({ workflow }) => workflow),
      ...paused.map(({ workflow }) => workflow),
    ]);
    const items = [...names].sort().map((workflow): WorkflowRow => {
      const graph = graphs.get(workflow);
      const pause = paused.find((one) => one.workflow === workflow);
      const found = counts.workflows.find((one) => one.workflow === workflow);
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
        counts: found?.byStatus ?? noneOf(counts.capped),
      };
    });
    return { items };
  }

  @Get('workflows/:workflow/versions')
  @Header('cache-control', 'no-store')
  async versions(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('workflow') workflow: string,
  ): Promise<VersionsResponse> {
    const tenant = await this.access.tenant(request, name);
    const found = await this.reads.now(tenant, `versions ${workflow}`, () =>
      tenant.runner.statistics.versions({ workflow }),
    );
    return serialized(found);
  }

  @Get('schedules')
  @Header('cache-control', 'no-store')
  async schedules(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<SchedulesResponse> {
    const tenant = await this.access.tenant(request, name);
    const { runner } = tenant;
    const limit = count(query, 'limit', MAX_PAGE) ?? 50;
    const given = {
      workflow: text(query, 'workflow'),
      state: choice(query, 'state', STATES),
      after: text(query, 'after'),
    };
    const filter = { ...defined(given), limit: limit + 1 };
    const found = await this.reads.now(tenant, `schedules ${JSON.stringify(filter)}`, () =>
      runner.schedules.list(filter),
    );
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
    const tenant = await this.access.tenant(request, name);
    return this.schedule(await existing(this.scheduleOf(tenant, schedule)));
  }

  @Get('schedules/:schedule/firings')
  @Header('cache-control', 'no-store')
  async firings(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Query() query: Fields,
  ): Promise<FiringsResponse> {
    const tenant = await this.access.tenant(request, name);
    const { runner } = tenant;
    const given = defined({
      before: date(query, 'before'),
      limit: count(query, 'limit', MAX_PAGE),
    });
    const key = `firings ${JSON.stringify([schedule, given])}`;
    const firings = await this.reads.now(tenant, key, () =>
      runner.schedules.firings(schedule, given),
    );
    return { firings: serialized(firings) };
  }

  @Get('schedules/:schedule/preview')
  @Header('cache-control', 'no-store')
  async preview(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('schedule') schedule: string,
    @Query() query: Fields,
  ): Promise<PreviewResponse> {
    const tenant = await this.access.tenant(request, name);
    const { runner } = tenant;
    const { spec } = await existing(this.scheduleOf(tenant, schedule));
    const times = runner.schedules.preview(spec, count(query, 'count', 100) ?? 10);
    return { times: times.map((time) => time.toISOString()) };
  }

  @Get('limits')
  @Header('cache-control', 'no-store')
  async limits(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<LimitsResponse> {
    const tenant = await this.access.tenant(request, name);
    const { runner } = tenant;
    const given = defined({
      name: text(query, 'name'),
      full: flag(query, 'full'),
      limit: count(query, 'limit', MAX_PAGE),
      cursor: text(query, 'cursor'),
    });
    const page = await this.reads.now(tenant, `limits ${JSON.stringify(given)}`, () =>
      runner.limits.list({ ...given, maxRead: KEYS_LOOKED_AT }),
    );
    return serialized(page);
  }

  @Get('actions')
  @Header('cache-control', 'no-store')
  async actions(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<ActionsResponse> {
    const tenant = await this.access.tenant(request, name);
    const limit = count(query, 'limit', MAX_PAGE) ?? 50;
    const given = {
      subject: text(query, 'subject'),
      actor: text(query, 'actor'),
      before: text(query, 'before'),
    };
    const filter = { ...defined(given), limit: limit + 1 };
    const found = await this.reads.now(tenant, `actions ${JSON.stringify(filter)}`, () =>
      tenant.runner.actions(filter),
    );
    const items = found.slice(0, limit);
    return {
      items: serialized(items),
      nextCursor: found.length > limit ? (items.at(-1)?.id ?? null) : null,
    };
  }

  private scheduleOf(tenant: Tenant, schedule: string): Promise<TenantSchedule | null> {
    return this.reads.now(tenant, `schedule ${schedule}`, () =>
      tenant.runner.schedules.get(schedule),
    );
  }

  private schedule({ input, ...schedule }: TenantSchedule): ScheduleRow {
    return {
      ...serialized(schedule),
      ...(input === undefined ? {} : { input: this.views.values.view(input) }),
    };
  }
}

/** Counts of a workflow of which no execution was read. */
function noneOf(capped: readonly string[]): WorkflowRow['counts'] {
  const none = NOT_COMPLETED.map((status) => [
    status,
    { count: 0, isCapped: capped.includes(status) },
  ]);
  return Object.fromEntries(none) as WorkflowRow['counts'];
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
