import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import type { TenantRequest } from '../cloacina.callbacks.js';
import { ConfigurationError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';

/** Options of {@link CloacinaDashboardModule.register}. */
export interface CloacinaDashboardOptions {
  /** The path of the page, below the application's global prefix. Default: `cloacina`. */
  path?: string;
  /**
   * Guards of the page, of its HTTP API and of its streams, as in `@UseGuards()`. They decide who may enter; `tenants` decides
   * what a user sees. Without guards the boot fails in production, unless `public` is true.
   */
  guards?: (Type<CanActivate> | CanActivate)[];
  /** Modules that export what the guards inject. Default: none. */
  imports?: ModuleMetadata['imports'];
  /** `true`: no guard is needed, because something else protects the path. Default: `false`. */
  public?: boolean;
  /**
   * The names of the tenants that the user of a request may see, or `'all'`. It is called for each request, and again while a stream
   * is open. Other tenants do not exist for the user. Default: `'all'`.
   *
   * @param request - annotate it with your platform's type to see more properties
   */
  tenants?(request: TenantRequest): TenantNames | Promise<TenantNames>;
  /**
   * The name of the user of a request. The log names the user of each action. It is stored too: in the history of the execution,
   * and for workflows and schedules among the actions of the tenant. Default: no user is named.
   */
  actor?(request: TenantRequest): string | undefined | Promise<string | undefined>;
  /** `true`: all actions are refused. Default: `false`. */
  readOnly?: boolean;
  /**
   * How many streams of server-sent events this process holds open, 1 to 100,000; each open page has one, and one more while it
   * shows an execution. Further pages poll. Default: 200.
   */
  maxStreams?: number;
  /**
   * Names of properties whose values are never shown, at any depth of contexts, payloads, items and progress. Upper and lower
   * case, `_` and `-` do not count. Names of secrets, such as `password` and `apiKey`, need not be listed. Default: none.
   */
  redact?: readonly string[];
}

/** The tenants that a user may see. */
export type TenantNames = readonly string[] | 'all';

/** The options with their defaults. */
export interface CheckedDashboardOptions extends CloacinaDashboardOptions {
  readonly path: string;
  readonly guards: (Type<CanActivate> | CanActivate)[];
  readonly readOnly: boolean;
  readonly maxStreams: number;
  readonly redact: readonly string[];
}

/** Injection token of the checked options. */
export const DASHBOARD_OPTIONS = Symbol('CloacinaDashboardOptions');

const WHO = 'CloacinaDashboardModule.register()';
const OPTIONS: ReadonlySet<string> = new Set<keyof CloacinaDashboardOptions>([
  'path',
  'guards',
  'imports',
  'public',
  'tenants',
  'actor',
  'readOnly',
  'maxStreams',
  'redact',
]);
const DEFAULT_STREAMS = 200;
const MAX_STREAMS = 100_000;
const PATH = /^[\w.~-]+(?:\/[\w.~-]+)*$/;

/**
 * @param isProduction - whether a dashboard without guards is refused
 * @throws ConfigurationError that lists everything that is wrong
 */
export function checkDashboardOptions(
  options: CloacinaDashboardOptions,
  isProduction: boolean,
): CheckedDashboardOptions {
  const { path = 'cloacina', guards = [], readOnly = false, redact = [] } = options;
  const { maxStreams = DEFAULT_STREAMS } = options;
  const problems: string[] = [];
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) problems.push(`${WHO} has no option "${name}". Remove it.`);
  }
  const trimmed = typeof path === 'string' ? path.replace(/^\/+|\/+$/g, '') : '';
  if (!PATH.test(trimmed)) {
    problems.push(
      `${WHO}: path must be a path of letters, digits, "-", "_", "." and "/", such as 'cloacina', not ${formatValue(path)}.`,
    );
  }
  for (const name of ['public', 'readOnly'] as const) {
    const value: unknown = options[name];
    if (value === undefined || typeof value === 'boolean') continue;
    problems.push(`${WHO}: ${name} must be true or false, not ${formatValue(value)}.`);
  }
  for (const name of ['tenants', 'actor'] as const) {
    const value: unknown = options[name];
    if (value === undefined || typeof value === 'function') continue;
    problems.push(`${WHO}: ${name} must be a function of the request, not ${formatValue(value)}.`);
  }
  if (!Array.isArray(guards)) {
    problems.push(`${WHO}: guards must be an array of guards, not ${formatValue(guards)}.`);
  } else if (guards.length === 0 && options.public !== true && isProduction) {
    problems.push(
      `${WHO} has no guards, so everyone could read and change executions. Give it guards: [YourAdminGuard], or public: true ` +
        'if something else protects the path.',
    );
  }
  if (!Number.isInteger(maxStreams) || maxStreams < 1 || maxStreams > MAX_STREAMS) {
    problems.push(
      `${WHO}: maxStreams must be a whole number from 1 to ${MAX_STREAMS}, not ${formatValue(maxStreams)}.`,
    );
  }
  if (!Array.isArray(redact) || redact.some((name) => typeof name !== 'string')) {
    problems.push(`${WHO}: redact must be an array of names, not ${formatValue(redact)}.`);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { ...options, path: trimmed, guards: [...guards], readOnly, maxStreams, redact };
}
