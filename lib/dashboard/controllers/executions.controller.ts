import { Get, Header, Inject, Param, Query, Req, Sse, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { TenantRequest } from '../../cloacina.callbacks.js';
import type { ItemResult } from '../../discovery/map-options.js';
import type { Execution } from '../../runner/execution.js';
import type { Tenant } from '../../tenants/hosting/tenant.js';
import type { TaskStatus } from '../../workflow/index.js';
import { DashboardAccess } from '../access.js';
import { ExecutionViews, noSuchExecution, serialized } from '../executions.js';
import type {
  ExecutionResponse,
  ExecutionsResponse,
  ExplainResponse,
  HistoryResponse,
  ItemsResponse,
  TreeResponse,
  ValueResponse,
} from '../http-types.js';
import { conditionsOf, count, text, type Fields } from '../query.js';
import { guardedStream } from '../stream-access.js';
import { DashboardStreams } from '../streams.js';
import { TenantReads } from '../tenant-reads.js';

const MAX_PAGE = 200;
/** How many executions are looked at for a page, about: a filter that few of a million match is as fast as any. */
const LOOKED_AT = 10_000;

/** Executions of one tenant. */
export class ExecutionsController {
  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(ExecutionViews) private readonly views: ExecutionViews,
    @Inject(DashboardStreams) private readonly streams: DashboardStreams,
    @Inject(TenantReads) private readonly reads: TenantReads,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<ExecutionsResponse> {
    const tenant = await this.access.tenant(request, name);
    const cursor = text(query, 'cursor');
    const filter = {
      ...conditionsOf(query),
      limit: count(query, 'limit', MAX_PAGE) ?? 50,
      maxRead: LOOKED_AT,
      ...(cursor === undefined ? {} : { cursor }),
    };
    const page = await this.reads.now(tenant, `list ${JSON.stringify(filter)}`, () =>
      tenant.runner.list(filter),
    );
    return { ...page, items: page.items.map((summary) => this.views.row(name, summary)) };
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  async get(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<ExecutionResponse> {
    const tenant = await this.access.tenant(request, name);
    const execution = await this.read(tenant, id);
    if (execution === null) throw noSuchExecution();
    return this.views.execution(name, tenant.runner, execution);
  }

  @Get(':id/history')
  @Header('cache-control', 'no-store')
  async history(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<HistoryResponse> {
    const tenant = await this.access.tenant(request, name);
    const entries = await this.reads.now(tenant, `history ${id}`, () => tenant.runner.history(id));
    if (entries === null) throw noSuchExecution();
    return { entries: entries.map((entry) => this.views.entry(entry)) };
  }

  @Get(':id/explain')
  @Header('cache-control', 'no-store')
  async explain(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<ExplainResponse> {
    const tenant = await this.access.tenant(request, name);
    const explanation = await this.reads.now(tenant, `explain ${id}`, () =>
      tenant.runner.explain(id),
    );
    if (explanation === null) throw noSuchExecution();
    return serialized(explanation);
  }

  @Get(':id/tree')
  @Header('cache-control', 'no-store')
  async tree(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<TreeResponse> {
    const tenant = await this.access.tenant(request, name);
    return this.reads.now(tenant, `tree ${id}`, () => tenant.runner.tree(id));
  }

  @Get(':id/values/:value')
  @Header('cache-control', 'no-store')
  async value(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Param('value') key: string,
  ): Promise<ValueResponse> {
    const tenant = await this.access.tenant(request, name);
    const execution = await this.read(tenant, id);
    if (execution === null || !Object.hasOwn(execution.context, key)) throw noSuchExecution();
    const value = this.views.values.isHidden(key)
      ? '[redacted]'
      : this.views.values.whole(execution.context[key]);
    return { name: key, value };
  }

  @Get(':id/items/:task')
  @Header('cache-control', 'no-store')
  async items(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Param('task') task: string,
    @Query() query: Fields,
  ): Promise<ItemsResponse> {
    const tenant = await this.access.tenant(request, name);
    const limit = count(query, 'limit', MAX_PAGE) ?? 100;
    const after = Number(text(query, 'after') ?? -1);
    const status = text(query, 'status') as TaskStatus | undefined;
    const from = Number.isInteger(after) && after >= 0 ? { after } : {};
    const options = { ...(status === undefined ? {} : { status }), ...from };
    const key = `items ${JSON.stringify([id, task, limit, options])}`;
    const { items, isMore } = await this.reads.now(tenant, key, async () => {
      const found: ItemsResponse['items'] = [];
      for await (const item of tenant.runner.results(id, task, options)) {
        if (found.length === limit) return { items: found, isMore: true };
        found.push(this.item(item));
      }
      return { items: found, isMore: false };
    });
    const last = items.at(-1);
    return { items, nextCursor: isMore && last !== undefined ? String(last.index) : null };
  }

  @Sse(':id/events')
  async events(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<Observable<MessageEvent>> {
    // Before the stream begins, so that the answer has a status: a browser connects again after any other end.
    const tenant = await this.access.tenant(request, name);
    const found = await this.reads.now(tenant, `exists ${id}`, () =>
      tenant.runner.list({ ids: [id], limit: 1 }),
    );
    if (found.items.length === 0) throw noSuchExecution();
    return this.streams.admit(
      guardedStream(async () => {
        const visible = await this.access.tenant(request, name);
        const source = () =>
          this.streams.execution(visible, id, (update) => ({
            type: 'execution',
            data: this.views.event(name, update),
          }));
        return { key: name, source };
      }),
    );
  }

  private read(tenant: Tenant, id: string): Promise<Execution | null> {
    return this.reads.now(tenant, `get ${id}`, () => tenant.runner.get(id));
  }

  private item({ item, value, ...facts }: ItemResult): ItemsResponse['items'][number] {
    const { values } = this.views;
    return {
      ...serialized(facts),
      item: values.view(item, 2_000, 500),
      ...(value === undefined ? {} : { value: values.view(value, 2_000, 500) }),
    };
  }
}
