import type { CloacinaTenantOptions } from '../cloacina.options.js';
import { ConfigurationError } from '../errors/index.js';
import {
  checkOptions,
  duration,
  flag,
  formatValue,
  oneOf,
  type Check,
  type Checks,
} from '../errors/option-checks.js';
import { parseDuration, type Duration } from '../workflow/duration.js';

/** Options of the test kit itself. */
export interface CloacinaTestingOptions {
  /**
   * - `memory`: everything is in memory, and no database is needed. There are no data sources: `context.manager`, repositories
   *   and migrations can't be used.
   * - `postgres`: each tenant has a schema of its own on `databaseUrl` (default: DATABASE_URL of the environment), which is
   *   dropped when the application closes.
   *
   * Default: `memory`.
   */
  store?: 'memory' | 'postgres';
  /** The time at which the test begins. Default: the beginning of the year 2030, UTC. */
  startsAt?: Date;
  /**
   * Whether time moves to the next thing due by itself while all is idle and a call waits for a result: `execute()` or
   * `result()` of the runner. It moves by a year at most. Default: false: time stands still until the test moves it.
   */
  autoAdvance?: boolean;
  /**
   * How long time waits for a running handler, in real time, before it continues without it. A handler that waits for its
   * signal to abort needs time to continue. Default: 2 s.
   */
  handlerWait?: Duration;
}

/** Options of a tenant that have no meaning in a test. */
export type UnusedTenantOption =
  | 'schema'
  | 'isolation'
  | 'migrate'
  | 'controlUrl'
  | 'tenants'
  | 'tenantFrom'
  | 'taskInterceptors'
  | 'logFailures';

/** Options of a tenant in a test: those of `CloacinaModule.forTenant()` that have a meaning there. */
export type TestingTenantOptions = Omit<CloacinaTenantOptions, UnusedTenantOption>;

/** Options that the tenants of a test share: those of `CloacinaModule.forRoot()`, and those of the test kit. */
export interface TestingSharedOptions
  extends
    CloacinaTestingOptions,
    Omit<
      CloacinaTenantOptions,
      Exclude<UnusedTenantOption, 'taskInterceptors' | 'logFailures' | 'tenantFrom'> | 'tenant'
    > {}

/** Options of the only tenant of a test. */
export interface TestingOptions extends TestingSharedOptions {
  /** The tenant's name, as in `CloacinaModule.forTenant()`. Default: `testing`. */
  tenant?: string;
}

export interface ResolvedTestingOptions {
  readonly store: 'memory' | 'postgres';
  readonly startsAt: Date;
  readonly autoAdvance: boolean;
  readonly handlerWaitMs: number;
}

const DEFAULT_START = new Date('2030-01-01T00:00:00Z');
const DEFAULT_HANDLER_WAIT_MS = 2_000;
/** The longest real time that a test may wait for a handler, in milliseconds. */
const MAX_HANDLER_WAIT_MS = 600_000;

const date: Check = (value) =>
  value instanceof Date && !Number.isNaN(value.getTime())
    ? undefined
    : `must be a valid Date, not ${formatValue(value)}`;

const CHECKS: Checks<Required<CloacinaTestingOptions>> = {
  store: oneOf('memory', 'postgres'),
  startsAt: date,
  autoAdvance: flag,
  handlerWait: duration(1, MAX_HANDLER_WAIT_MS),
};

/** Parts the options of the kit from those of the module, and fills in the kit's defaults. */
export function partTestingOptions<O extends CloacinaTestingOptions>(
  caller: string,
  options: O,
): { testing: ResolvedTestingOptions; rest: Omit<O, keyof CloacinaTestingOptions> } {
  const { store, startsAt, autoAdvance, handlerWait, ...rest } = options;
  const own = { store, startsAt, autoAdvance, handlerWait };
  const problems = checkOptions(caller, own, CHECKS);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    testing: {
      store: store ?? 'memory',
      startsAt: startsAt ?? DEFAULT_START,
      autoAdvance: autoAdvance ?? false,
      handlerWaitMs: parseDuration(handlerWait) ?? DEFAULT_HANDLER_WAIT_MS,
    },
    rest,
  };
}
