import { Get, Header, Inject, Param, Query, Req, Sse, type MessageEvent } from '@nestjs/common';
import { takeUntil, type Observable } from 'rxjs';
import type { TenantRequest } from '../../cloacina.options.js';
import type { ItemResult } from '../../discovery/map-options.js';
import type { TaskStatus } from '../../workflow/index.js';
import { DashboardAccess } from '../access.js';
import { ExecutionViews, noSuchExecution, serialized } from '../executions.js';
import type {
  ExecutionResponse,
  ExecutionRow,
  ExplainResponse,
  HistoryResponse,
  ItemsResponse,
  Page,
  TreeResponse,
  ValueResponse,
} from '../http-types.js';
import { conditionsOf, count, text, type Fields } from '../query.js';
import { guardedStream, streamOf } from '../stream-access.js';
import { DashboardStreams } from '../streams.js';

const MAX_PAGE = 200;

/** Executions of one tenant. */
export class ExecutionsController {
  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(ExecutionViews) private readonly views: ExecutionViews,
    @Inject(DashboardStreams) private readonly streams: DashboardStreams,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Query() query: Fields,
  ): Promise<Page<ExecutionRow>> {
    const { runner } = await this.access.tenant(request, name);
    const cursor = text(query, 'cursor');
    const page = await runner.list({
      ...conditionsOf(query),
      limit: count(query, 'limit', MAX_PAGE) ?? 50,
      ...(cursor === undefined ? {} : { cursor }),
    });
    return { ...page, items: page.items.map((summary) => this.views.row(name, summary)) };
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  async get(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<ExecutionResponse> {
    const { runner } = await this.access.tenant(request, name);
    const execution = await runner.get(id);
    if (execution === null) throw noSuchExecution();
    return this.views.execution(name, runner, execution);
  }

  @Get(':id/history')
  @Header('cache-control', 'no-store')
  async history(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
  ): Promise<HistoryResponse> {
    const { runner } = await this.access.tenant(request, name);
    const entries = await runner.history(id);
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
    const { runner } = await this.access.tenant(request, name);
    const explanation = await runner.explain(id);
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
    const { runner } = await this.access.tenant(request, name);
    return runner.tree(id);
  }

  @Get(':id/values/:value')
  @Header('cache-control', 'no-store')
  async value(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
    @Param('id') id: string,
    @Param('value') key: string,
  ): Promise<ValueResponse> {
    const { runner } = await this.access.tenant(request, name);
    const execution = await runner.get(id);
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
    const { runner } = await this.access.tenant(request, name);
    const limit = count(query, 'limit', MAX_PAGE) ?? 100;
    const after = Number(text(query, 'after') ?? -1);
    const status = text(query, 'status') as TaskStatus | undefined;
    const items: ItemsResponse['items'] = [];
    let isMore = false;
    const from = Number.isInteger(after) && after >= 0 ? { after } : {};
    const options = { ...(status === undefined ? {} : { status }), ...from };
    for await (const item of runner.results(id, task, options)) {
      isMore = items.length === limit;
      if (isMore) break;
      items.push(this.item(item));
    }
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
    const found = (await this.access.tenant(request, name)).runner.list({ ids: [id], limit: 1 });
    if ((await found).items.length === 0) throw noSuchExecution();
    return guardedStream(async () => {
      const { runner } = await this.access.tenant(request, name);
      const source = () =>
        streamOf(
          (signal) => runner.watch(id, { signal }),
          (update) => ({ type: 'execution', data: this.views.event(name, update) }),
        );
      return { key: name, source };
    }).pipe(takeUntil(this.streams.closing));
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
