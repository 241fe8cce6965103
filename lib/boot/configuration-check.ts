import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { WorkflowRegistry } from '../discovery/registered-workflow.js';
import { checkServed } from '../discovery/workflow-filter.js';
import { explorePollers } from '../discovery/poller-explorer.js';
import { exploreWorkflows } from '../discovery/workflow-explorer.js';
import type { CloacinaTenantOptions } from '../cloacina.options.js';
import { ConfigurationError, messageWithoutSecrets } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import {
  checkServerSchemas,
  checkTenantNames,
  checkTenantSchemas,
  resolveSharedOptions,
  resolveTenantOptions,
  type ResolvedSharedOptions,
  type ResolvedTenantOptions,
} from '../options/index.js';
import { traceWith } from '../runtime/untraced.js';
import { failureLog } from '../events/failure-log.js';
import { severalCopies } from './copies.js';
import { ApplicationHooks } from '../tenants/hosting/application-hooks.js';
import { addEventHandlers } from './event-handlers.js';
import { registerPollers } from './pollers.js';
import { findTaskInterceptors } from './task-interceptors.js';
import { findInjectionProblems, tenantsOf, type UnknownTenantSite } from './injection-problems.js';
import {
  isSharedRegistration,
  providedValues,
  SHARED_REGISTRATION,
  type OptionsSource,
  type TenantRegistration,
} from './registration.js';

const FOR_ROOT = 'CloacinaModule.forRoot()';
/** In place of invalid forRoot options, while the boot continues only to find the other problems. */
const NOTHING_RUNS = {
  maxConcurrentTasks: 0,
  poolSize: 0,
  logFailures: false,
  taskInterceptors: [],
};
/** In place of forRoot options whose factory failed, so that no tenant is blamed for a missing URL. */
const UNKNOWN_SERVER = { databaseUrl: 'postgres://unknown/' };

/**
 * Checks the configuration of one application and collects its problems. No further tenant is opened once there is a
 * problem. So an application whose options are all given as values touches no database if any of them is wrong.
 */
export class ConfigurationCheck {
  readonly registry = new WorkflowRegistry();
  readonly hooks = new ApplicationHooks();
  readonly shared: ResolvedSharedOptions;
  readonly tenants: readonly TenantRegistration[];
  private readonly problems: string[] = [];
  /** Found again when Nest has made the instances, because a factory may return workflows. */
  private workflowProblems: readonly string[] = [];
  private readonly resolved = new Map<TenantRegistration, ResolvedTenantOptions>();
  /** Tenants that were added before all workflows were known. */
  private readonly addedEarly: ResolvedTenantOptions[] = [];
  /** The last check has passed. */
  private finished = false;

  constructor(
    private readonly modules: ModulesContainer,
    given: OptionsSource = { options: {} },
    unknownTenants: readonly UnknownTenantSite[] = [],
  ) {
    const copies = severalCopies();
    if (copies !== undefined) new Logger('Cloacina').warn(copies);
    this.tenants = tenantsOf(modules);
    this.shared = this.resolveShared(given);
    if (this.shared.logFailures) this.hooks.listeners.add(failureLog());
    this.addTelemetry();
    for (const tenant of this.tenants) {
      this.problems.push(...tenant.problems);
      if (tenant.given !== undefined) this.resolve(tenant, tenant.given);
    }
    this.problems.push(...findInjectionProblems(modules, this.tenants, unknownTenants));
    this.explore(false);
  }

  /** Whether no problem has been found so far. */
  get isSound(): boolean {
    return this.finished || this.allProblems().length === 0;
  }

  /** All problems found so far, as the error that ends the boot. */
  error(): ConfigurationError {
    return new ConfigurationError(this.allProblems());
  }

  /**
   * Adds a problem that a provider found by itself, so that it is reported with the others.
   *
   * @throws ConfigurationError once the boot is over
   */
  report(problem: string): void {
    if (this.finished) throw new ConfigurationError([problem]);
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }

  /** The tenant's options with all defaults. Undefined if they are invalid; their problems are then recorded. */
  optionsOf(tenant: TenantRegistration, given: OptionsSource): ResolvedTenantOptions | undefined {
    if (!this.resolved.has(tenant) && tenant.given === undefined) this.resolve(tenant, given);
    return this.resolved.get(tenant);
  }

  /**
   * The options of a tenant that is added or discovered at run time, with all defaults.
   *
   * @throws ConfigurationError with all problems of these options, or those of the application while it boots
   */
  admit(options: CloacinaTenantOptions): ResolvedTenantOptions {
    if (!this.isSound) throw this.error();
    const resolution = resolveTenantOptions(options, this.shared.given);
    const problems = resolution.ok ? this.servedProblems(resolution.options) : resolution.problems;
    if (!resolution.ok || problems.length > 0) throw new ConfigurationError(problems);
    return resolution.options;
  }

  private servedProblems(options: ResolvedTenantOptions): string[] {
    const { tenant, workflows = [] } = options;
    if (this.finished)
      return checkServed(`Tenant ${JSON.stringify(tenant)}: workflows`, workflows, this.registry);
    this.addedEarly.push(options);
    return [];
  }

  /**
   * Runs the last check, when every provider has been instantiated.
   *
   * @throws ConfigurationError with all problems
   */
  finish(): void {
    this.explore(true);
    const { workflows: shared } = this.shared.given;
    this.problems.push(...checkServed(`${FOR_ROOT}: workflows`, shared ?? [], this.registry));
    for (const { tenant, workflows = [] } of [...this.resolved.values(), ...this.addedEarly]) {
      // forRoot's list was checked above; here it would be reported once more for each tenant.
      if (isDeepStrictEqual(workflows, shared)) continue;
      const owner = `Tenant ${JSON.stringify(tenant)}: workflows`;
      this.problems.push(...checkServed(owner, workflows, this.registry));
    }
    this.addHooks();
    if (!this.isSound) throw this.error();
    this.finished = true;
  }

  private addHooks(): void {
    const { listeners, interceptors } = this.hooks;
    const modules = [...this.modules.values()];
    this.problems.push(...addEventHandlers(modules, this.registry, listeners));
    const found = findTaskInterceptors(modules, this.shared.taskInterceptors);
    this.problems.push(...found.problems);
    interceptors.use(found.interceptors);
  }

  private addTelemetry(): void {
    const { telemetry } = this.shared;
    if (telemetry === undefined) return;
    this.hooks.telemetry = telemetry;
    traceWith(telemetry);
    if (telemetry.isMeasuring) this.hooks.listeners.add(telemetry.listener);
  }

  private allProblems(): string[] {
    const names = this.tenants.flatMap(
      (tenant) => tenant.tenant ?? this.resolved.get(tenant)?.tenant ?? [],
    );
    const together = [
      ...checkTenantNames(names),
      ...checkTenantSchemas([...this.resolved.values()]),
      ...checkServerSchemas([...this.resolved.values()]),
    ];
    return [...this.problems, ...together, ...this.workflowProblems];
  }

  private resolveShared(given: OptionsSource): ResolvedSharedOptions {
    const times = providedValues(this.modules.values(), SHARED_REGISTRATION).filter(
      isSharedRegistration,
    );
    if (times.length > 1) {
      this.problems.push(
        `${FOR_ROOT} was imported ${times.length} times. Import it once, in the root module.`,
      );
    }
    for (const { problems, given: another } of times) {
      this.problems.push(...problems);
      if (another !== undefined && another !== given) this.resolveSharedOf(another);
    }
    return this.resolveSharedOf(given);
  }

  private resolveSharedOf(given: OptionsSource): ResolvedSharedOptions {
    const options = this.optionsIn(FOR_ROOT, given);
    if (options === undefined) return { ...NOTHING_RUNS, given: UNKNOWN_SERVER };
    const resolution = resolveSharedOptions(options);
    if (resolution.ok) {
      this.problems.push(...discoveryProblems(resolution.options));
      return resolution.options;
    }
    this.problems.push(...resolution.problems);
    return { ...NOTHING_RUNS, given: { ...options } };
  }

  private resolve(tenant: TenantRegistration, given: OptionsSource): void {
    const options = this.optionsIn(tenant.owner, given);
    // A call with problems of its own has no usable options.
    if (options === undefined || tenant.problems.length > 0) return;
    const resolution = resolveTenantOptions(this.withName(tenant, options), this.shared.given);
    if (resolution.ok) this.resolved.set(tenant, resolution.options);
    else this.problems.push(...resolution.problems);
  }

  /** Adds the name that forTenantAsync was given. Options from its factory may not name a different tenant. */
  private withName({ tenant, owner, given }: TenantRegistration, options: object): object {
    if (given !== undefined || tenant === undefined) return options;
    const own: unknown = Reflect.get(options, 'tenant');
    if (own !== undefined && own !== tenant) {
      this.problems.push(
        `${owner}: its factory names it ${JSON.stringify(own)}. Remove the name from the factory's options.`,
      );
    }
    return { ...options, tenant };
  }

  /** The options as an object. Undefined, with the problem recorded, if the factory failed or returned no object. */
  private optionsIn(owner: string, given: OptionsSource): object | undefined {
    if (!('failure' in given)) {
      const { options } = given;
      if (typeof options === 'object' && options !== null) return options;
      this.problems.push(`${owner}: the options must be an object, not ${formatValue(options)}.`);
      return undefined;
    }
    this.problems.push(
      `${owner}: its options factory failed: ${messageWithoutSecrets(given.failure)}`,
    );
    return undefined;
  }

  private explore(instantiated: boolean): void {
    const { workflows, problems } = exploreWorkflows(this.modules.values(), instantiated);
    const found = explorePollers(this.modules.values(), instantiated);
    const pollers = registerPollers(found, workflows, instantiated);
    this.registry.replaceAll([...workflows, ...pollers.workflows]);
    this.workflowProblems = [...problems, ...pollers.problems];
  }
}

/** Discovered tenants need a server that forRoot or the environment names: they have no options to name one. */
function discoveryProblems({ discover, given }: ResolvedSharedOptions): string[] {
  if (discover === undefined) return [];
  // Each of the servers is searched, and has a URL.
  if (given.servers !== undefined) return [];
  const resolution = resolveTenantOptions({}, given);
  if (resolution.ok) return [];
  return resolution.problems.map(
    (problem) => `${FOR_ROOT}, tenants.discover: ${problem.replace(/^Tenant "[^"]*": /, '')}`,
  );
}
