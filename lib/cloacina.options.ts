import type { ModuleMetadata, Type } from '@nestjs/common';
import type { EntitySchema, MigrationInterface } from 'typeorm';
import type { PostgresConnectionOptions } from './store/postgres/connections/connection-config.js';
import type { TaskInterceptor } from './discovery/task-interceptor.js';
import type { Duration } from './workflow/duration.js';

export type { PostgresConnectionOptions };

/**
 * What tenants share: given to `forRoot` as defaults for all, to `forTenant` for one. A tenant's own option replaces the
 * default as a whole, lists too: `entities: []` is a tenant without entities.
 */
export interface CloacinaSharedOptions {
  /** `postgres://user:password@host:5432/database`. Default: forRoot's, else the environment's DATABASE_URL. */
  databaseUrl?: string;
  /**
   * Instead of the URL, or beside it, where it wins: `host`, `password`, `ssl`, `extra`… One that names a host, a
   * database or a URL stands instead of the URL of forRoot and of the environment. What the library can't use, such as
   * `synchronize` or `replication`, is refused with the reason; `synchronize: false` is not.
   */
  connection?: Partial<PostgresConnectionOptions>;
  /**
   * A direct URL for the control connection, where `databaseUrl` leads to a pooler. Default: `databaseUrl`. What it
   * leaves out of TLS and login is taken from `connection`.
   */
  controlUrl?: string;
  /**
   * Whether to keep a connection outside the pool by which lost processes are noticed at once. Default true; false
   * leaves that to leases alone.
   */
  controlConnection?: boolean;
  /**
   * Whether a boot creates and migrates the schema. Default true. False, for a login that may not: the boot only checks
   * that the schema is current, and ends with a MigrationError that lists what is pending. `CloacinaMigrator.run()` and
   * `CloacinaTenants.migrateAll()` apply it nevertheless.
   */
  migrate?: boolean;
  /** Connections of the pool that all tenants on one login share, at least 3, default 10. The largest wins. */
  poolSize?: number;
  /**
   * Of forRoot: tasks that run at once in this process, default 100. Of forTenant: tasks of this tenant that run at
   * once in this process, default 10. 0 makes it a client, which starts and watches but runs nothing.
   */
  maxConcurrentTasks?: number;
  /** Whether this process takes over what lost processes ran. Default true. */
  enableRecovery?: boolean;
  /** How often a task is taken over before it is given up as Failed. Default 3. */
  maxRecoveryAttempts?: number;
  /** After which a process that hangs, or a host that vanished, has lost its tasks. At least 1 s, default 30 s. */
  leaseDuration?: Duration;
  /** How long running handlers may go on after a shutdown began. Default 30 s. */
  shutdownTimeout?: Duration;
  /** How long `start()` waits for a database that is away. Default 10 s. */
  startTimeout?: Duration;
  /**
   * How long a handler keeps its slot after its signal aborted. One that has not returned by then is given up: the slot
   * is free, and its task's next attempt may begin in this process. At least 100 ms, default 30 s.
   */
  handlerGrace?: Duration;
  /** Bytes of JSON that a context may take, default 1 MiB (1,048,576). */
  maxContextSize?: number;
  /**
   * Schemas that user code sees behind the tenant's own: its `search_path`, in transactional tasks, migrations and raw
   * queries of the tenant's data source. For extensions and shared tables. Default: the schemas of the login's own
   * `search_path`, without those of other tenants, those in which every role may create, and a `public` without
   * extensions. `[]`: the tenant's schema alone.
   */
  searchPath?: string[];
  /** Those that this process serves, by class or name. Default: all that the application provides. */
  workflows?: (Type<unknown> | string)[];
  /** The application's own entities, in the schema of each tenant. Default: none. */
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  entities?: (Function | EntitySchema)[];
  /**
   * The application's own migrations, run in the schema of each tenant after the library's, with a history table of
   * their own. Default: none.
   */
  migrations?: Type<MigrationInterface>[];
  /** `role`: all that goes over a tenant's data source has a role of the tenant's. Default `schema`. */
  isolation?: 'schema' | 'role';
  /**
   * Of forRoot only. Whether to write failures to Nest's log: a WARN for each failed attempt, an ERROR for each execution
   * that ends Failed. Default true.
   */
  logFailures?: boolean;
  /**
   * Of forRoot only. Providers that run around every attempt of every task, outermost first. Default: none.
   */
  taskInterceptors?: Type<TaskInterceptor>[];
  /**
   * Of forRoot only. `discover`: also serve tenants that other processes added, all of them or those that a function
   * gives options for. Default false.
   */
  tenants?: { discover?: boolean | DiscoverTenant };
  /**
   * Of forRoot only. The name of the tenant that a request is for, for `@CurrentTenant()`, `@CurrentRunner()` and
   * `TenantGuard`; undefined when it names none.
   *
   * @param request - annotate it with your platform's type to see more of it
   */
  tenantFrom?(request: TenantRequest): string | undefined | Promise<string | undefined>;
}

/**
 * Decides whether this process serves a tenant that it found in the database, and with which options.
 *
 * It is called for each schema that is not served yet: at boot, after each notice of a new tenant, and again for schemas
 * that it declined, first after 15 s, then at intervals that grow to 10 minutes. If it throws, or returns options that are
 * not valid, the tenant is logged once and tried again at the same intervals.
 *
 * @param schema - the schema that was found
 * @param tenant - the tenant's name: the schema, unless the tenant was added under another name
 * @returns the tenant's options over those of forRoot; `undefined`: this process does not serve it
 *
 * @example
 * ```ts
 * CloacinaModule.forRoot({
 *   entities: [Invoice],
 *   tenants: { discover: (schema) => (schema.startsWith('tenant_') ? { maxConcurrentTasks: 5 } : undefined) },
 * })
 * ```
 */
export type DiscoverTenant = (
  schema: string,
  tenant: string,
) => DiscoveredTenantOptions | undefined | Promise<DiscoveredTenantOptions | undefined>;

/** What {@link DiscoverTenant} may say of a tenant: not its name, nor how to reach it. */
export type DiscoveredTenantOptions = Omit<
  CloacinaTenantOptions,
  | 'tenant'
  | 'schema'
  | 'databaseUrl'
  | 'connection'
  | 'controlUrl'
  | 'controlConnection'
  | 'tenants'
  | 'tenantFrom'
  | 'taskInterceptors'
  | 'logFailures'
>;

/** What every platform's requests have, Express's and Fastify's. */
export interface TenantRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The host that was asked for, without its port. */
  readonly hostname?: string;
  readonly url?: string;
}

/**
 * One tenant: its name and schema, and what it has otherwise than `forRoot` says.
 *
 * @example
 * ```ts
 * CloacinaModule.forTenant({ schema: 'tenant_acme', maxConcurrentTasks: 20, entities: [Invoice], migrations: [CreateInvoice] })
 * ```
 */
export interface CloacinaTenantOptions extends CloacinaSharedOptions {
  /** The name by which it is injected and logged, 1 to 100 characters. Default: the schema. */
  tenant?: string;
  /** 1 to 63 letters, digits and underscores; created if it isn't there. Default `public`. */
  schema?: string;
}

/** A provider that makes options, for `useClass` and `useExisting`. */
export interface CloacinaOptionsFactory<O = CloacinaTenantOptions> {
  createCloacinaOptions(): O | Promise<O>;
}

/**
 * Options that have to be made, as in other modules of Nest.
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
   * Of forTenantAsync: the tenant's name, which must be known before its options are made. Only the one tenant of an
   * application may go without; it is then injected by class.
   */
  tenant?: string;
  /** What `useFactory` gets, in order. */
  inject?: unknown[];
  /** Makes the options. Its parameters are `any`, as in Nest: nothing ties them to `inject`. */
  // oxlint-disable-next-line typescript/no-explicit-any
  useFactory?: (...args: any[]) => O | Promise<O>;
  /** A {@link CloacinaOptionsFactory} to instantiate. */
  useClass?: Type<unknown>;
  /** A {@link CloacinaOptionsFactory} that is a provider of `imports` or of a global module. */
  useExisting?: Type<unknown>;
}
