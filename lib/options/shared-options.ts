import type {
  CloacinaSharedOptions,
  CloacinaTenantOptions,
  RetentionOptions,
} from '../cloacina.options.js';
import type { DiscoverTenant } from '../cloacina.callbacks.js';
import {
  anything,
  callable,
  checkOptions,
  duration,
  flag,
  formatValue,
  listOf,
  oneOf,
  wholeNumber,
  type Check,
  type Checks,
} from '../errors/option-checks.js';
import { checkRetention, PERIOD_CHECKS } from '../errors/retention-check.js';
import { MIN_RETENTION_MS } from '../workflow/retention.js';
import { connectionProblems, databaseUrl } from './connection.js';
import { serverProblems } from './server-options.js';
import {
  DEFAULT_POOL_SIZE,
  DEFAULT_PROCESS_CONCURRENCY,
  MAX_CONTEXT_SIZE_LIMIT,
  MAX_STEPS_LIMIT,
  MAX_STEPS_SIZE_LIMIT,
  MAX_LEASE_DURATION_MS,
  MAX_TIMER_MS,
  MIN_HANDLER_GRACE_MS,
  MIN_LEASE_DURATION_MS,
  MIN_POOL_SIZE,
  MIN_SIGNAL_SECRET,
} from './defaults.js';

/** Resolved options, or the problems of the given ones. */
export type Resolution<T> =
  | { readonly ok: true; readonly options: T }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The options of the process. */
export interface ResolvedSharedOptions {
  /** Maximum number of tasks that run at once in this process. 0: it only starts and watches executions. */
  readonly maxConcurrentTasks: number;
  /** Connections of a pool whose tenants set no size. */
  readonly poolSize: number;
  /** Selects the tenants of other processes to serve, and gives their options. Absent: none. */
  readonly discover?: DiscoverTenant;
  /** Whether failed attempts and executions are written to the log. */
  readonly logFailures: boolean;
  /** Classes that wrap every attempt of a task, outermost first. */
  readonly taskInterceptors: readonly unknown[];
  /** What traces and measures the work. Absent: nothing does. */
  readonly telemetry?: CloacinaSharedOptions['telemetry'];
  /** The options as given to forRoot: the defaults of all tenants, including those that are added at run time. */
  readonly given: CloacinaSharedOptions;
}

/** PostgreSQL's own schemas are excluded: if named, they would come before its built-in objects. */
const isSchemaInPath = (name: unknown): boolean =>
  typeof name === 'string' &&
  name !== '' &&
  !name.includes('\0') &&
  Buffer.byteLength(name) <= 63 &&
  !/^(pg_|\$user$)/i.test(name);

const TENANTS: Checks<NonNullable<CloacinaSharedOptions['tenants']>> = {
  discover: (value) =>
    typeof value === 'boolean' || typeof value === 'function'
      ? undefined
      : `must be true, false or a function, not ${formatValue(value)}`,
};

/** The problem names no value, because a value that is almost right is almost the secret. */
const signalSecret: Check = (value) => {
  const secrets: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isGood = (secret: unknown): boolean =>
    typeof secret === 'string' && secret.length >= MIN_SIGNAL_SECRET;
  return secrets.length > 0 && secrets.every(isGood)
    ? undefined
    : `must be a string of at least ${MIN_SIGNAL_SECRET} characters, or a list of them`;
};

const telemetry: Check = (value) =>
  typeof value === 'object' && value !== null && 'attempt' in value
    ? undefined
    : `must be what openTelemetry() of nestjs-cloacina/otel returns, not ${formatValue(value)}`;

const isClass = (value: unknown): boolean => typeof value === 'function';
const isWorkflow = (value: unknown): boolean =>
  isClass(value) || (typeof value === 'string' && value !== '');
/** Recognized by its shape, because the application may use another copy of TypeORM. */
const isEntity = (value: unknown): boolean =>
  isClass(value) || (typeof value === 'object' && value !== null && 'options' in value);

/** Checks of the options that both `forRoot` and `forTenant` take. */
export const SHARED_CHECKS: Checks<CloacinaSharedOptions> = {
  databaseUrl,
  connection: anything,
  controlUrl: databaseUrl,
  controlConnection: flag,
  migrate: flag,
  poolSize: wholeNumber(MIN_POOL_SIZE),
  maxConcurrentTasks: wholeNumber(0),
  enableRecovery: flag,
  maxRecoveryAttempts: wholeNumber(0),
  leaseDuration: duration(MIN_LEASE_DURATION_MS, MAX_LEASE_DURATION_MS),
  shutdownTimeout: duration(0, MAX_TIMER_MS),
  startTimeout: duration(0, MAX_TIMER_MS),
  handlerGrace: duration(MIN_HANDLER_GRACE_MS, MAX_TIMER_MS),
  maxContextSize: wholeNumber(1, MAX_CONTEXT_SIZE_LIMIT),
  maxSteps: wholeNumber(1, MAX_STEPS_LIMIT),
  maxStepsSize: wholeNumber(1, MAX_STEPS_SIZE_LIMIT),
  signalSecret,
  searchPath: listOf('names of schemas that do not begin with "pg_"', isSchemaInPath),
  workflows: listOf('workflow classes and names', isWorkflow),
  entities: listOf('entity classes and schemas', isEntity),
  migrations: listOf('migration classes', isClass),
  retention: anything,
  archive: callable,
  isolation: oneOf('schema', 'role'),
  logFailures: flag,
  taskInterceptors: listOf('classes', isClass),
  telemetry,
  tenants: anything,
  tenantFrom: callable,
  // serverProblems() checks them.
  servers: anything,
  requireAll: flag,
  placeTenant: callable,
};

const RETENTION_CHECKS: Checks<RetentionOptions> = {
  ...PERIOD_CHECKS,
  events: duration(MIN_RETENTION_MS),
  keys: duration(MIN_RETENTION_MS),
};

/** The problems of a `retention` of `forRoot` or `forTenant`. */
export function retentionProblems(
  owner: string,
  options: Pick<CloacinaSharedOptions, 'retention'> | undefined,
): string[] {
  return checkRetention(owner, options?.retention, RETENTION_CHECKS);
}

/** `forRoot` registers no tenant: an application may have any number of them. */
const ofForTenant: Check = () =>
  'is an option of a tenant. Import CloacinaModule.forTenant() with it, in addition to forRoot() or alone';

const FOR_ROOT_CHECKS: Checks<CloacinaSharedOptions & CloacinaTenantOptions> = {
  ...SHARED_CHECKS,
  tenant: ofForTenant,
  schema: ofForTenant,
  server: ofForTenant,
};

/**
 * Checks the options of `forRoot` and fills in the process's defaults.
 *
 * @param owner - the subject of the problems' sentences
 */
export function resolveSharedOptions(
  options: CloacinaSharedOptions,
  owner = 'CloacinaModule.forRoot()',
): Resolution<ResolvedSharedOptions> {
  const problems = checkOptions(owner, options, FOR_ROOT_CHECKS);
  problems.push(...connectionProblems(owner, options?.connection));
  problems.push(...retentionProblems(owner, options));
  problems.push(...serverProblems(owner, options));
  if (problems.length === 0 && options.tenants !== undefined) {
    problems.push(...checkOptions(`${owner}, tenants`, options.tenants, TENANTS));
  }
  if (problems.length > 0) return { ok: false, problems };
  const discover = options.tenants?.discover ?? false;
  return {
    ok: true,
    options: {
      maxConcurrentTasks: options.maxConcurrentTasks ?? DEFAULT_PROCESS_CONCURRENCY,
      poolSize: options.poolSize ?? DEFAULT_POOL_SIZE,
      ...(discover === false ? {} : { discover: discover === true ? () => ({}) : discover }),
      logFailures: options.logFailures ?? true,
      taskInterceptors: options.taskInterceptors ?? [],
      ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }),
      given: { ...options },
    },
  };
}
