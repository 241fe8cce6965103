import type { ModuleMetadata, Type } from '@nestjs/common';
import type { EntitySchema, MigrationInterface } from 'typeorm';
import type { PostgresConnectionOptions } from './store/postgres/connections/connection-config.js';
import type { TaskInterceptor } from './discovery/task-interceptor.js';
import type { ArchiveSink } from './runner/archive.js';
import type { CloacinaTelemetry } from './events/telemetry.js';
import type { Duration } from './workflow/duration.js';
import type { RetentionPeriods } from './workflow/retention.js';
import type { DiscoverTenant, PlaceTenant, TenantRequest } from './cloacina.callbacks.js';

export type { PostgresConnectionOptions };

/**
 * How long ended executions are kept. Without a period, they are kept forever.
 *
 * The periods count from the end of an execution, by the clock of the database. An execution without a parent is deleted
 * together with all executions under it, as soon as all of them have ended.
 */
export interface RetentionOptions extends RetentionPeriods {
  /** How long events are kept whose definition has no `keepFor`. Default: 7 days. */
  events?: Duration;
  /**
   * How long the idempotency keys of deleted executions are kept, so that a late start with the key still starts nothing.
   * Then an execution with a key is deleted a minute or more after its time. Default: a key is deleted with its execution.
   */
  keys?: Duration;
}

/**
 * Options that tenants share. `forRoot` takes them as defaults for all tenants, `forTenant` for one. A tenant's own option
 * replaces the default as a whole, also if it is a list: `entities: []` is a tenant without entities.
 */
export interface CloacinaSharedOptions {
  /** `postgres://user:password@host:5432/database`. Default: that of forRoot, else DATABASE_URL of the environment. */
  databaseUrl?: string | undefined;
  /**
   * TypeORM's connection options: `host`, `password`, `ssl`, `extra`… They win over the same parts of the URL. Options that
   * name a host, a database or a URL replace the URL of forRoot and of the environment. Options that the library can't
   * use, such as `synchronize` or `replication`, are rejected with the reason; `synchronize: false` is accepted.
   */
  connection?: Partial<PostgresConnectionOptions>;
  /**
   * Direct URL of the control connection, for a `databaseUrl` that leads to a pooler. Default: `databaseUrl`. TLS and
   * login settings that it leaves out are taken from `connection`.
   */
  controlUrl?: string | undefined;
  /**
   * Whether to keep a connection outside the pool by which lost processes are detected at once. Default: true. With false,
   * lost processes are detected when their leases expire.
   */
  controlConnection?: boolean;
  /**
   * Whether a boot creates and migrates the schema. Default: true. Use false for a login that lacks the rights: the boot
   * then only checks that the schema is current, and fails with a MigrationError that lists pending migrations.
   * `CloacinaMigrator.run()` and `CloacinaTenants.migrateAll()` apply them regardless of this option.
   */
  migrate?: boolean;
  /**
   * Connections in the pool that all tenants on one login share, at least 3. If tenants differ, the largest value applies.
   *
   * Default: at most 10. With more than six processes on the database, each has an equal share of the server's connections,
   * so that twenty processes fit on a server with its default of 100. The control connection comes in addition.
   */
  poolSize?: number;
  /**
   * Maximum number of tasks that run at once in this process: in `forRoot` of all tenants, default 100; in `forTenant` of
   * this tenant, default 10. With 0 the process is a client, which starts and watches executions but runs no task.
   */
  maxConcurrentTasks?: number;
  /** Whether this process takes over the tasks of lost processes. Default: true. */
  enableRecovery?: boolean;
  /** How often a task is taken over from a lost process before it is recorded as Failed. Default: 3. */
  maxRecoveryAttempts?: number;
  /**
   * How long a hung process or a vanished host keeps its tasks before others take them over, 1 s to 1 h. Default: 30 s.
   */
  leaseDuration?: Duration;
  /** How long running handlers may continue after a shutdown has begun. Default: 30 s. */
  shutdownTimeout?: Duration;
  /** How long `start()` waits for a database that cannot be reached. Default: 10 s. */
  startTimeout?: Duration;
  /**
   * How long a handler keeps its slot after its signal was aborted, at least 100 ms. Default: 30 s. After that the slot is
   * freed, although the handler has not returned, and the task's next attempt may begin in this process.
   */
  handlerGrace?: Duration;
  /** Maximum size of a context, in bytes of JSON. Default: 1 MiB (1,048,576). */
  maxContextSize?: number;
  /**
   * Signs the tokens of `context.signalToken()`: a random text of at least 32 characters, the same in all processes. With a
   * list, the first signs and each is accepted: to rotate, put the new one first, and remove the old one when its tokens have
   * expired. Default: none, and `signalToken()` throws.
   */
  signalSecret?: string | string[] | undefined;
  /** Maximum number of steps and waits of one task. Default: 10,000. */
  maxSteps?: number;
  /**
   * Maximum size of all results of the steps and waits of one task, in bytes of JSON. Each run of the task reads all of them.
   * Default: 32 MiB (33,554,432).
   */
  maxStepsSize?: number;
  /**
   * Schemas behind the tenant's own in the `search_path` of user code: transactional tasks, migrations and raw queries of
   * the tenant's data source. Use it for extensions and shared tables. `[]`: only the tenant's schema.
   *
   * Default: the login's own `search_path` without the schemas of other tenants, without schemas in which every role may
   * create objects, and without a `public` that contains no extension.
   */
  searchPath?: string[];
  /** Workflows that this process serves, by class or name. Default: all that the application provides. */
  workflows?: (Type<unknown> | string)[];
  /** Entities of the application whose tables are in each tenant's schema. Default: none. */
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  entities?: (Function | EntitySchema)[];
  /**
   * Migrations of the application. They run in each tenant's schema after the library's own, and have a history table of
   * their own. Default: none.
   */
  migrations?: Type<MigrationInterface>[];
  /**
   * How long ended executions, events and idempotency keys are kept. `false`, the default: forever. Give all processes of a
   * tenant the same options: whichever of them has the turn deletes. Workflows may have a `retention` of their own.
   *
   * @example
   * ```ts
   * CloacinaModule.forRoot({ retention: { completed: '30d', failed: '90d', cancelled: '30d', keepLast: 100 } })
   * ```
   */
  retention?: RetentionOptions | false;
  /**
   * Takes executions before `retention` deletes them. While it fails, none is deleted. `delete` and `deleteMany` do not
   * call it. Default: none.
   *
   * @example
   * ```ts
   * CloacinaModule.forRoot({
   *   retention: { completed: '30d' },
   *   archive: async (executions, { tenant }) => store.write(tenant, executions.map((one) => JSON.stringify(one))),
   * })
   * ```
   */
  archive?: ArchiveSink | undefined;
  /**
   * With `role`, all statements of a tenant's data source run under a database role of that tenant. Default: `schema`.
   */
  isolation?: 'schema' | 'role';
  /**
   * Option of forRoot only. Whether to write failures to Nest's log: a WARN for each failed attempt, an ERROR for each
   * execution that ends Failed. Default: true.
   */
  logFailures?: boolean;
  /**
   * Option of forRoot only. Providers that wrap every attempt of every task, outermost first. Default: none.
   */
  taskInterceptors?: Type<TaskInterceptor>[];
  /**
   * Option of forRoot only. Traces and measures the work of the library: `openTelemetry()` of `nestjs-cloacina/otel`. Default: none.
   */
  telemetry?: CloacinaTelemetry;
  /**
   * Option of forRoot only. `discover`: whether to also serve tenants that other processes added. A function selects among
   * them and gives their options. Default: false.
   */
  tenants?: { discover?: boolean | DiscoverTenant };
  /**
   * Option of forRoot only. Returns the name of a request's tenant, for `@CurrentTenant()`, `@CurrentRunner()` and
   * `TenantGuard`, or undefined if the request names no tenant.
   *
   * @param request - annotate it with your platform's type to see more properties
   */
  tenantFrom?(request: TenantRequest): string | undefined | Promise<string | undefined>;
  /**
   * Option of forRoot only. The database servers by name, instead of `databaseUrl`, if one is not enough. A name has 1 to 63
   * letters, digits, hyphens and underscores. Each tenant is on one of them. Default: one server without a name.
   *
   * @example
   * ```ts
   * CloacinaModule.forRoot({
   *   servers: { eu: { databaseUrl: process.env.EU_URL }, us: { databaseUrl: process.env.US_URL } },
   * })
   * ```
   */
  servers?: Readonly<Record<string, CloacinaServerOptions>>;
  /**
   * Option of forRoot only. Whether the boot fails if one of `servers` cannot be reached within a minute. Default false: the
   * application boots after the tenant's `startTimeout`, and serves the tenants of that server as soon as it answers. A tenant
   * of forTenant with `isolation: 'role'` needs its server in any case.
   */
  requireAll?: boolean;
  /**
   * Option of forRoot only. Chooses the server of a new tenant, for `CloacinaAdmin.createTenant()` without `server`. Default:
   * the server with the fewest tenants.
   */
  placeTenant?: PlaceTenant;
}

/** The connection of one of the option `servers`. The rest comes from forRoot. */
export type CloacinaServerOptions = Pick<
  CloacinaSharedOptions,
  'databaseUrl' | 'connection' | 'controlUrl' | 'controlConnection' | 'poolSize'
>;

/**
 * Options of one tenant: its name, its schema, and where it differs from `forRoot`.
 *
 * @example
 * ```ts
 * CloacinaModule.forTenant({ schema: 'tenant_acme', maxConcurrentTasks: 20, entities: [Invoice], migrations: [CreateInvoice] })
 * ```
 */
export interface CloacinaTenantOptions extends CloacinaSharedOptions {
  /** The name by which the tenant is injected and logged, 1 to 100 characters. Default: the schema. */
  tenant?: string;
  /** 1 to 63 letters, digits and underscores. The schema is created if it doesn't exist. Default: `public`. */
  schema?: string;
  /**
   * The name of the tenant's server, one of `servers` of forRoot. With several servers, each tenant needs it, unless its own
   * `databaseUrl` leads to one of them.
   */
  server?: string;
}

/** A provider that creates options, for `useClass` and `useExisting`. */
export interface CloacinaOptionsFactory<O = CloacinaTenantOptions> {
  /** Returns the options, or a promise of them. */
  createCloacinaOptions(): O | Promise<O>;
}

/**
 * Options from a factory, as in other modules of Nest. Give exactly one of `useFactory`, `useClass` and `useExisting`.
 *
 * @example
 * ```ts
 * CloacinaModule.forTenantAsync({
 *   tenant: 'initech',
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ schema: 'tenant_initech', databaseUrl: config.getOrThrow('INITECH_URL') }),
 * })
 * ```
 */
export interface CloacinaAsyncOptions<O> extends Pick<ModuleMetadata, 'imports'> {
  /**
   * Option of forTenantAsync: the tenant's name, which must be known before the factory runs. Only an application's single
   * tenant may omit it; it is then injected by class.
   */
  tenant?: string;
  /** Tokens of the arguments of `useFactory`, in order. */
  inject?: unknown[];
  /** Returns the options. Its parameters are `any`, as in Nest, because nothing ties them to `inject`. */
  // oxlint-disable-next-line typescript/no-explicit-any
  useFactory?: (...args: any[]) => O | Promise<O>;
  /** A {@link CloacinaOptionsFactory} to instantiate. */
  useClass?: Type<unknown>;
  /** A {@link CloacinaOptionsFactory} that is a provider of `imports` or of a global module. */
  useExisting?: Type<unknown>;
}
