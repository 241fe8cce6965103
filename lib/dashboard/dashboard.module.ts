import {
  Controller,
  Inject,
  Module,
  RequestMethod,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
  type DynamicModule,
  type MiddlewareConsumer,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { DashboardAccess } from './access.js';
import { ActionGuard } from './action.guard.js';
import { dashboardClock } from './clock.js';
import { ActionsController } from './controllers/actions.controller.js';
import { ExecutionsController } from './controllers/executions.controller.js';
import { OverviewController } from './controllers/overview.controller.js';
import { PageController } from './controllers/page.controller.js';
import { TenantController } from './controllers/tenant.controller.js';
import {
  checkDashboardOptions,
  DASHBOARD_OPTIONS,
  type CheckedDashboardOptions,
  type CloacinaDashboardOptions,
} from './dashboard-options.js';
import { ExecutionViews } from './executions.js';
import { Overviews } from './overviews.js';
import { PageFiles } from './page-files.js';
import { ProblemFilter } from './problem.js';
import { DashboardStreams } from './streams.js';
import { TenantChanges } from './tenant-changes.js';
import { TenantMoves } from './tenant-moves.js';
import { TenantReads } from './tenant-reads.js';

/**
 * A page for people, and the HTTP API behind it, on Express and Fastify: executions, failures, schedules, workflows and processes
 * of the tenants that this process serves.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     CloacinaModule.forRoot({ databaseUrl: process.env.DATABASE_URL }),
 *     CloacinaModule.forTenant({ schema: 'tenant_acme' }),
 *     CloacinaDashboardModule.register({ path: 'cloacina', guards: [AdminGuard] }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class CloacinaDashboardModule implements NestModule {
  /** @internal */
  constructor(@Inject(DASHBOARD_OPTIONS) private readonly options: CheckedDashboardOptions) {}

  /** @internal Fastify has no route for a path with a slash at its end. */
  configure(consumer: MiddlewareConsumer): void {
    const { path } = this.options;
    consumer.apply(withoutSlash(path)).forRoutes({ path, method: RequestMethod.GET });
  }

  /**
   * Serves the dashboard.
   *
   * @throws ConfigurationError for an invalid option, and without guards if `NODE_ENV` is `production`, unless `public` is true
   */
  static register(options: CloacinaDashboardOptions = {}): DynamicModule {
    const checked = checkDashboardOptions(options, process.env['NODE_ENV'] === 'production');
    return {
      module: CloacinaDashboardModule,
      imports: checked.imports ?? [],
      controllers: controllersOf(checked),
      providers: [
        { provide: DASHBOARD_OPTIONS, useValue: checked },
        { provide: PageFiles, useFactory: () => new PageFiles() },
        DashboardAccess,
        ActionGuard,
        ExecutionViews,
        dashboardClock,
        TenantReads,
        TenantChanges,
        TenantMoves,
        Overviews,
        DashboardStreams,
      ],
    };
  }
}

interface RawRequest {
  readonly originalUrl?: string;
  readonly url?: string;
}

interface RawResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(): unknown;
}

/** Sends the browser from `…/cloacina/` to `…/cloacina`. The location is relative, so a proxy may have taken a path away. */
function withoutSlash(path: string) {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (request: RawRequest, response: RawResponse, next: () => void): void => {
    const [url = '', query] = (request.originalUrl ?? request.url ?? '').split('?');
    if (!url.endsWith(`/${path}/`)) {
      next();
      return;
    }
    const location = `../${name}${query === undefined ? '' : `?${query}`}`;
    response.writeHead(302, { location, 'cache-control': 'no-store' });
    response.end();
  };
}

type Guards = CheckedDashboardOptions['guards'];

/** Their paths and guards are known only now. The page comes last: its routes match the paths of the others too. */
function controllersOf({ path, guards }: CheckedDashboardOptions): Type<unknown>[] {
  const tenant = `${path}/api/tenants/:tenant`;
  return [
    placed(OverviewController, `${path}/api`, guards),
    placed(ExecutionsController, `${tenant}/executions`, guards),
    placed(TenantController, tenant, guards),
    placed(ActionsController, tenant, [...guards, ActionGuard]),
    placed(PageController, path, guards),
  ];
}

/** A class of its own, so that several registrations do not share one path. */
function placed(base: Type<object>, path: string, guards: Guards): Type<unknown> {
  const Placed = { [base.name]: class extends base {} }[base.name] as Type<unknown>;
  // Versions of the application's API do not concern the page.
  Controller({ path, version: VERSION_NEUTRAL })(Placed);
  UseFilters(ProblemFilter)(Placed);
  UseGuards(...guards)(Placed);
  return Placed;
}
