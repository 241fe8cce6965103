import { Get, Header, Inject, Param, Query, Req, Sse, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { TenantRequest } from '../../cloacina.callbacks.js';
import { DashboardAccess } from '../access.js';
import { basePathOf, type PathRequest } from '../base-path.js';
import type {
  FailuresResponse,
  Overview,
  ProcessesResponse,
  Series,
  Session,
  TenantOverview,
  TenantsResponse,
} from '../http-types.js';
import { openApiDocument, type OpenApiDocument } from '../openapi/document.js';
import { Overviews } from '../overviews.js';
import { noSuchTenant } from '../problem.js';
import { choice, count, text, texts, type Fields } from '../query.js';
import { guardedStream } from '../stream-access.js';
import { DashboardStreams } from '../streams.js';
import { sightKey } from '../tenant-moves.js';

const POLL_MS = 5_000;
const MAX_NAMES = 1_000;
const MAX_PAGE = 200;
/** The segments of `api/openapi.json`. */
const OPEN_API_DEPTH = 2;

/** What concerns all tenants that the user may see. */
export class OverviewController {
  constructor(
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
    @Inject(Overviews) private readonly overviews: Overviews,
    @Inject(DashboardStreams) private readonly streams: DashboardStreams,
  ) {}

  @Get('session')
  @Header('cache-control', 'no-store')
  async session(@Req() request: TenantRequest): Promise<Session> {
    const tenants = await this.access.visible(request);
    const actor = await this.access.actor(request);
    return {
      ...(actor === undefined ? {} : { actor }),
      readOnly: this.access.readOnly,
      tenants: tenants.length,
      tenantNames: tenants.slice(0, MAX_NAMES).map(({ name }) => name),
      pollMs: POLL_MS,
    };
  }

  @Get('overview')
  @Header('cache-control', 'no-store')
  async overview(@Req() request: TenantRequest): Promise<Overview> {
    return this.overviews.overview(await this.access.sight(request));
  }

  @Get('tenants')
  @Header('cache-control', 'no-store')
  async tenants(@Req() request: TenantRequest, @Query() query: Fields): Promise<TenantsResponse> {
    const search = text(query, 'search')?.toLowerCase() ?? '';
    const after = text(query, 'after') ?? text(query, 'cursor') ?? '';
    const limit = count(query, 'limit', MAX_PAGE) ?? 50;
    const sight = await this.access.sight(request);
    const found = sight.tenants.filter(
      ({ name }) => name > after && name.toLowerCase().includes(search),
    );
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      items: await this.overviews.tenants(page, sight),
      nextCursor: found.length > limit && last !== undefined ? last.name : null,
    };
  }

  @Get('tenants/:tenant')
  @Header('cache-control', 'no-store')
  async tenant(
    @Req() request: TenantRequest,
    @Param('tenant') name: string,
  ): Promise<TenantOverview> {
    const sight = await this.access.sight(request);
    const [overview] = await this.overviews.tenants(
      sight.tenants.filter((tenant) => tenant.name === name),
      sight,
    );
    if (overview === undefined) throw noSuchTenant();
    return overview;
  }

  @Get('series')
  @Header('cache-control', 'no-store')
  async series(@Req() request: TenantRequest, @Query() query: Fields): Promise<Series> {
    const range = choice(query, 'range', ['hour', 'day']) ?? 'hour';
    const tenants = await this.access.chosen(request, texts(query, 'tenant'));
    return this.overviews.series(tenants, range, text(query, 'workflow'));
  }

  @Get('failures')
  @Header('cache-control', 'no-store')
  async failures(@Req() request: TenantRequest, @Query() query: Fields): Promise<FailuresResponse> {
    const tenants = await this.access.chosen(request, texts(query, 'tenant'));
    return this.overviews.failures(tenants, text(query, 'workflow'));
  }

  @Get('processes')
  @Header('cache-control', 'no-store')
  async processes(@Req() request: TenantRequest): Promise<ProcessesResponse> {
    return { items: await this.overviews.processes(await this.access.visible(request)) };
  }

  /** The description of this API. Its server is the path at which it was asked for. */
  @Get('openapi.json')
  @Header('cache-control', 'no-store')
  openApi(@Req() request: PathRequest): OpenApiDocument {
    return openApiDocument(basePathOf(request, OPEN_API_DEPTH).replace(/\/$/, ''));
  }

  @Sse('events')
  async events(@Req() request: TenantRequest): Promise<Observable<MessageEvent>> {
    // A failure before the stream begins is an answer with a status.
    await this.access.visible(request);
    return this.streams.admit(
      guardedStream(async () => {
        const sight = await this.access.sight(request);
        return { key: sightKey(sight), source: () => this.streams.of(sight) };
      }),
    );
  }
}
