import type { Type } from '@nestjs/common';
import type { EntitySchema, MigrationInterface } from 'typeorm';
import type {
  CloacinaSharedOptions,
  CloacinaTenantOptions,
  PostgresConnectionOptions,
  RetentionOptions,
} from '../cloacina.options.js';
import { parseDuration, type Duration } from '../workflow/duration.js';
import { retentionRule, type RetentionRule } from '../workflow/retention.js';
import {
  anything,
  checkOptions,
  formatValue,
  text,
  type Check,
  type Checks,
} from '../errors/option-checks.js';
import { connectionProblems, databaseUrl, mergeConnections, namesServer } from './connection.js';
import * as defaults from './defaults.js';
import { rememberOrigin } from './options-at.js';
import { validateSchemaName } from './schema-name.js';
import { serverFor, strayProblem } from './server-options.js';
import { retentionProblems, SHARED_CHECKS, type Resolution } from './shared-options.js';

/** Maximum length of a tenant's name, in characters. */
const MAX_TENANT_NAME = 100;

/** A tenant's options with forRoot's and the library's defaults filled in; durations in milliseconds. */
export interface ResolvedTenantOptions {
  readonly tenant: string;
  readonly schema: string;
  /** The name of its server. Absent if forRoot names no servers. */
  readonly server?: string;
  /** Whether the application boots without the tenant while its server cannot be reached. */
  readonly mayBeAway?: true;
  /** Absent when `connection` names the server. */
  readonly databaseUrl?: string;
  readonly connection: Partial<PostgresConnectionOptions>;
  readonly controlUrl?: string;
  readonly controlConnection: boolean;
  readonly migrate: boolean;
  /** Connections of the pool that all tenants on this login share. The largest value of its tenants applies. */
  readonly poolSize: number;
  /** Whether the application has not set the pool size. Then it is a maximum, and the processes share the server's connections. */
  readonly poolSizeIsDefault?: true;
  /** Maximum number of tasks of this tenant that run at once in this process. */
  readonly maxConcurrentTasks: number;
  readonly enableRecovery: boolean;
  readonly maxRecoveryAttempts: number;
  readonly leaseDurationMs: number;
  readonly shutdownTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly handlerGraceMs: number;
  /** Bytes of JSON. */
  readonly maxContextSize: number;
  readonly maxSteps: number;
  /** Bytes of JSON. */
  readonly maxStepsSize: number;
  /** The first signs tokens, each is accepted. */
  readonly signalSecrets: readonly string[];
  /** Schemas behind its own in the `search_path`. Absent: those of the login's path. */
  readonly searchPath?: readonly string[];
  /** Workflows that the process serves for the tenant. Absent: all. */
  readonly workflows?: readonly (Type<unknown> | string)[];
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  readonly entities: readonly (Function | EntitySchema)[];
  readonly migrations: readonly Type<MigrationInterface>[];
  readonly isolation: 'schema' | 'role';
  /** How long ended executions, events and keys are kept. Absent: the library's defaults. */
  readonly retention?: ResolvedRetention;
  /** Takes executions before they are deleted. Absent: none. */
  readonly archive?: NonNullable<CloacinaSharedOptions['archive']>;
}

/** A tenant's retention; durations in milliseconds. */
export interface ResolvedRetention {
  readonly rule: RetentionRule;
  readonly eventsMs?: number;
  readonly keysMs?: number;
}

const schema: Check = (value) => {
  const problem = validateSchemaName(value);
  return problem === undefined
    ? undefined
    : `${formatValue(value)} ${problem}; use letters, digits and underscores`;
};

const TENANT_CHECKS: Checks<CloacinaTenantOptions> = {
  ...SHARED_CHECKS,
  taskInterceptors: () => 'is an option of forRoot() only',
  logFailures: () => 'is an option of forRoot() only',
  telemetry: () => 'is an option of forRoot() only',
  tenants: () => 'is an option of forRoot() only',
  tenantFrom: () => 'is an option of forRoot() only',
  servers: () => 'is an option of forRoot() only',
  requireAll: () => 'is an option of forRoot() only',
  placeTenant: () => 'is an option of forRoot() only',
  tenant: text(MAX_TENANT_NAME),
  schema,
  // serverFor() checks it, which knows the servers.
  server: anything,
};

/**
 * Checks a tenant's options and fills in defaults: forRoot's, then the library's. `maxConcurrentTasks` is not inherited,
 * because in forRoot it limits the process.
 *
 * @param given - the options as given to forRoot
 * @param environment - variables among which DATABASE_URL is looked up last
 */
export function resolveTenantOptions(
  options: CloacinaTenantOptions,
  given: CloacinaSharedOptions = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Resolution<ResolvedTenantOptions> {
  const owner = ownerOf(options);
  const problems = checkOptions(owner, options, TENANT_CHECKS);
  problems.push(...connectionProblems(owner, options?.connection));
  problems.push(...retentionProblems(owner, options));
  if (problems.length > 0) return { ok: false, problems };
  const named = serverFor(options, given);
  if (typeof named === 'string') return { ok: false, problems: [`${owner}${named}`] };
  const { shared } = named;
  const stray =
    named.server === undefined ? undefined : strayProblem(named.server, shared, options);
  const server = stray ?? serverOf(options, shared, environment);
  if (typeof server === 'string') return { ok: false, problems: [`${owner}: ${server}`] };

  const inherited = { ...withoutUndefined(shared), ...withoutUndefined(options) };
  const schemaName = options.schema ?? defaults.DEFAULT_SCHEMA;
  const controlUrl = options.controlUrl ?? (server.isOwn ? undefined : shared.controlUrl);
  const { workflows } = inherited;
  const resolved: ResolvedTenantOptions = {
    tenant: options.tenant ?? schemaName,
    schema: schemaName,
    ...(named.server === undefined ? {} : { server: named.server }),
    ...(named.server === undefined || given.requireAll === true ? {} : { mayBeAway: true }),
    ...server.leadsTo,
    ...(controlUrl === undefined ? {} : { controlUrl }),
    controlConnection: inherited.controlConnection ?? true,
    migrate: inherited.migrate ?? true,
    poolSize: inherited.poolSize ?? defaults.DEFAULT_POOL_SIZE,
    ...(inherited.poolSize === undefined ? { poolSizeIsDefault: true } : {}),
    maxConcurrentTasks: options.maxConcurrentTasks ?? defaults.DEFAULT_TENANT_CONCURRENCY,
    enableRecovery: inherited.enableRecovery ?? true,
    maxRecoveryAttempts: inherited.maxRecoveryAttempts ?? defaults.DEFAULT_MAX_RECOVERY_ATTEMPTS,
    leaseDurationMs: milliseconds(inherited.leaseDuration, defaults.DEFAULT_LEASE_DURATION_MS),
    shutdownTimeoutMs: milliseconds(
      inherited.shutdownTimeout,
      defaults.DEFAULT_SHUTDOWN_TIMEOUT_MS,
    ),
    startTimeoutMs: milliseconds(inherited.startTimeout, defaults.DEFAULT_START_TIMEOUT_MS),
    handlerGraceMs: milliseconds(inherited.handlerGrace, defaults.DEFAULT_HANDLER_GRACE_MS),
    maxContextSize: inherited.maxContextSize ?? defaults.DEFAULT_MAX_CONTEXT_SIZE,
    maxSteps: inherited.maxSteps ?? defaults.DEFAULT_MAX_STEPS,
    maxStepsSize: inherited.maxStepsSize ?? defaults.DEFAULT_MAX_STEPS_SIZE,
    signalSecrets: [inherited.signalSecret ?? []].flat(),
    ...(inherited.searchPath === undefined ? {} : { searchPath: [...inherited.searchPath] }),
    ...(workflows === undefined ? {} : { workflows: [...workflows] }),
    entities: [...(inherited.entities ?? [])],
    migrations: [...(inherited.migrations ?? [])],
    isolation: inherited.isolation ?? 'schema',
    ...retentionOf(inherited.retention),
    ...(inherited.archive === undefined ? {} : { archive: inherited.archive }),
  };
  const resolve = (at: CloacinaTenantOptions): Resolution<ResolvedTenantOptions> =>
    resolveTenantOptions(at, given, environment);
  rememberOrigin(resolved, { options, shared: given, resolve });
  return { ok: true, options: resolved };
}

function retentionOf(
  retention: RetentionOptions | false | undefined,
): Pick<ResolvedTenantOptions, 'retention'> {
  if (retention === undefined || retention === false) return {};
  const eventsMs = parseDuration(retention.events);
  const keysMs = parseDuration(retention.keys);
  return {
    retention: {
      rule: retentionRule(retention),
      ...(eventsMs === undefined ? {} : { eventsMs }),
      ...(keysMs === undefined ? {} : { keysMs }),
    },
  };
}

/** The subject of sentences about a tenant. */
export function ownerOf(options: CloacinaTenantOptions | undefined): string {
  const name: unknown = options?.tenant ?? options?.schema ?? defaults.DEFAULT_SCHEMA;
  return `Tenant ${typeof name === 'string' ? JSON.stringify(name) : formatValue(name)}`;
}

interface Server {
  readonly leadsTo: Pick<ResolvedTenantOptions, 'databaseUrl' | 'connection'>;
  /** Whether the tenant names its own server; then forRoot's connection to its server does not apply. */
  readonly isOwn: boolean;
}

/**
 * Where the tenant's database is: by its own options, else those of forRoot, else the environment. A sentence if
 * unknown.
 */
function serverOf(
  options: CloacinaTenantOptions,
  shared: CloacinaSharedOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Server | string {
  const isOwn = options.databaseUrl !== undefined || namesServer(options.connection);
  const connection = mergeConnections(shared.connection, options.connection, isOwn);
  const given = isOwn ? options.databaseUrl : shared.databaseUrl;
  if (given !== undefined) return { leadsTo: { databaseUrl: given, connection }, isOwn };
  if (namesServer(connection)) return { leadsTo: { connection }, isOwn };
  const fallback = environment.DATABASE_URL;
  if (fallback === undefined || fallback === '') {
    return 'there is no databaseUrl; set it here, in CloacinaModule.forRoot(), or as DATABASE_URL in the environment.';
  }
  const problem = databaseUrl(fallback);
  if (problem !== undefined) return `DATABASE_URL of the environment ${problem}.`;
  return { leadsTo: { databaseUrl: fallback, connection }, isOwn };
}

/** Drops undefined options. They count as omitted, so they must not override those of forRoot. */
function withoutUndefined<T extends object>(options: T): Partial<T> {
  const given: Partial<T> = { ...options };
  for (const name of Object.keys(options)) {
    if (Reflect.get(options, name) === undefined) Reflect.deleteProperty(given, name);
  }
  return given;
}

function milliseconds(value: Duration | undefined, otherwise: number): number {
  return parseDuration(value) ?? otherwise;
}
