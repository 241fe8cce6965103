import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { WorkflowRegistry } from '../discovery/registered-workflow.js';
import { checkServed } from '../discovery/workflow-filter.js';
import { exploreWorkflows } from '../discovery/workflow-explorer.js';
import type { CloacinaTenantOptions } from '../cloacina.options.js';
import { ConfigurationError, messageWithoutSecrets } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import {
  checkTenantNames,
  checkTenantSchemas,
  resolveSharedOptions,
  resolveTenantOptions,
  type ResolvedSharedOptions,
  type ResolvedTenantOptions,
} from '../options/index.js';
import { failureLog } from '../events/failure-log.js';
import { severalCopies } from './copies.js';
import { ApplicationHooks } from '../tenants/hosting/application-hooks.js';
import { addEventHandlers } from './event-handlers.js';
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
/** When forRoot's options are wrong, the boot goes on only to find what else is. */
const NOTHING_RUNS = {
  maxConcurrentTasks: 0,
  poolSize: 0,
  logFailures: false,
  taskInterceptors: [],
};
/** When forRoot's options could not be made, no tenant is to blame for the lack of a URL. */
const UNKNOWN_SERVER = { databaseUrl: 'postgres://unknown/' };

/**
 * The boot of one application: it collects what is wrong with all of it. While anything is, no further tenant is
 * opened; so when all options are given, not made, no database is touched for a configuration that has a mistake.
 */
export class ConfigurationCheck {
  readonly registry = new WorkflowRegistry();
  readonly hooks = new ApplicationHooks();
  readonly shared: ResolvedSharedOptions;
  readonly tenants: readonly TenantRegistration[];
  private readonly problems: string[] = [];
  /** Changes when instances are there: a factory may have made workflows. */
  private workflowProblems: readonly string[] = [];
  private readonly resolved = new Map<TenantRegistration, ResolvedTenantOptions>();
  /** Tenants that were added before all workflows were known. */
  private readonly addedEarly: ResolvedTenantOptions[] = [];
  /** Everything was found to be sound. */
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
    for (const tenant of this.tenants) {
      this.problems.push(...tenant.problems);
      if (tenant.given !== undefined) this.resolve(tenant, tenant.given);
    }
    this.problems.push(...findInjectionProblems(modules, this.tenants, unknownTenants));
    this.explore(false);
  }

  /** Whether nothing is wrong so far. */
  get isSound(): boolean {
    return this.finished || this.allProblems().length === 0;
  }

  /** Everything that is wrong so far, as the error that the boot ends with. */
  error(): ConfigurationError {
    return new ConfigurationError(this.allProblems());
  }

  /**
   * Something that is used lacks what it needs; said with the rest of what is wrong.
   *
   * @throws ConfigurationError when the boot is over
   */
  report(problem: string): void {
    if (this.finished) throw new ConfigurationError([problem]);
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }

  /** The tenant's options with all defaults; undefined when something is wrong with them, which is noted. */
  optionsOf(tenant: TenantRegistration, given: OptionsSource): ResolvedTenantOptions | undefined {
    if (!this.resolved.has(tenant) && tenant.given === undefined) this.resolve(tenant, given);
    return this.resolved.get(tenant);
  }

  /**
   * The options of a tenant that is added or discovered at run time, with all defaults.
   *
   * @throws ConfigurationError with everything that is wrong with them, or with the application while it boots
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
   * The last check, when every provider has been instantiated.
   *
   * @throws ConfigurationError with everything that is wrong
   */
  finish(): void {
    this.explore(true);
    const { workflows: shared } = this.shared.given;
    this.problems.push(...checkServed(`${FOR_ROOT}: workflows`, shared ?? [], this.registry));
    for (const { tenant, workflows = [] } of [...this.resolved.values(), ...this.addedEarly]) {
      // The default was checked, and would be reported of every tenant.
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

  private allProblems(): string[] {
    const names = this.tenants.flatMap(
      (tenant) => tenant.tenant ?? this.resolved.get(tenant)?.tenant ?? [],
    );
    const together = [
      ...checkTenantNames(names),
      ...checkTenantSchemas([...this.resolved.values()]),
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
    // A call that is wrong by itself has no options to speak of.
    if (options === undefined || tenant.problems.length > 0) return;
    const resolution = resolveTenantOptions(this.withName(tenant, options), this.shared.given);
    if (resolution.ok) this.resolved.set(tenant, resolution.options);
    else this.problems.push(...resolution.problems);
  }

  /** An async tenant's name is given beside its factory; what the factory says must not be another one. */
  private withName({ tenant, owner, given }: TenantRegistration, options: object): object {
    if (given !== undefined || tenant === undefined) return options;
    const own: unknown = Reflect.get(options, 'tenant');
    if (own !== undefined && own !== tenant) {
      this.problems.push(
        `${owner}: its factory names it ${JSON.stringify(own)}. Leave the name out there.`,
      );
    }
    return { ...options, tenant };
  }

  /** Undefined when they could not be made, which is noted. A factory that returns nothing gives no options. */
  private optionsIn(owner: string, given: OptionsSource): object | undefined {
    if (!('failure' in given)) {
      const { options } = given;
      if (typeof options === 'object' && options !== null) return options;
      this.problems.push(`${owner}: the options must be an object, not ${formatValue(options)}.`);
      return undefined;
    }
    this.problems.push(
      `${owner}: its options could not be made: ${messageWithoutSecrets(given.failure)}`,
    );
    return undefined;
  }

  private explore(instantiated: boolean): void {
    const { workflows, problems } = exploreWorkflows(this.modules.values(), instantiated);
    this.registry.replaceAll(workflows);
    this.workflowProblems = problems;
  }
}

/** What is served without being named needs a server that forRoot, or the environment, names. */
function discoveryProblems({ discover, given }: ResolvedSharedOptions): string[] {
  if (discover === undefined) return [];
  const resolution = resolveTenantOptions({}, given);
  if (resolution.ok) return [];
  return resolution.problems.map(
    (problem) => `${FOR_ROOT}, tenants.discover: ${problem.replace(/^Tenant "[^"]*": /, '')}`,
  );
}
