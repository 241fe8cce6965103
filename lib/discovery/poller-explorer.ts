import { Scope } from '@nestjs/common';
import { CloacinaError } from '../errors/index.js';
import { anything, checkOptions, text, type Checks } from '../errors/option-checks.js';
import { chosenTenantsProblem } from './chosen-tenants.js';
import { getPollers, type PollerMetadata } from './poller.decorator.js';
import type { PollerContext, PollerOptions } from './poller-types.js';
import { instanceOf, type NestModule, type NestProvider } from './workflow-providers.js';
import { workflowNameOf } from './workflow-ref.js';

/** Max characters of a name. With the prefix it is the name of a workflow. */
const MAX_NAME = 100;

const OPTIONS: Checks<PollerOptions> = {
  name: text(MAX_NAME),
  every: anything,
  workflow: anything,
  tenants: chosenTenantsProblem,
  retry: anything,
  timeout: anything,
};

/** A poller of the running code. */
export interface DeclaredPoller extends PollerOptions {
  /** The name of the workflow that it starts. */
  readonly workflowName: string;
  /** The method, for messages: `Inbox.look() in FilesModule`. */
  readonly place: string;
  /** Calls the method. */
  readonly call: (context: PollerContext) => unknown;
}

/** The pollers that the modules of an application provide. */
export interface ExploredPollers {
  readonly pollers: readonly DeclaredPoller[];
  /** All problems, each one or two sentences. */
  readonly problems: readonly string[];
}

/**
 * Finds the methods with `@Poller` of all providers and controllers.
 *
 * @param instantiated - whether Nest has made all instances. Before that, the results of factories and the scopes of
 *   dependencies are unknown
 */
export function explorePollers(
  modules: Iterable<NestModule>,
  instantiated: boolean,
): ExploredPollers {
  const pollers: DeclaredPoller[] = [];
  const problems: string[] = [];
  for (const module of modules) {
    for (const collection of [module.providers, module.controllers]) {
      for (const [token, provider] of collection) {
        const type = classOf(provider);
        const declared = type === undefined ? [] : getPollers(type);
        if (type === undefined || declared.length === 0) continue;
        if (instantiated && !isSingleton(provider)) problems.push(scoped(type, module));
        for (const one of declared) {
          const place = `${type.name}.${one.method}() in ${module.name}`;
          const found = describe(one, place, () => collection.get(token));
          if (typeof found === 'object' && 'call' in found) pollers.push(found);
          else problems.push(...found);
        }
      }
    }
  }
  return { pollers, problems };
}

function classOf(provider: NestProvider): Function | undefined {
  if (provider.isAlias) return undefined;
  // The metatype of a factory is the factory itself, so the class of the instance comes first.
  const type: unknown = instanceOf(provider)?.constructor ?? provider.metatype;
  return typeof type === 'function' ? type : undefined;
}

function isSingleton(provider: NestProvider): boolean {
  return provider.scope !== Scope.TRANSIENT && provider.isDependencyTreeStatic();
}

function scoped(type: Function, module: NestModule): string {
  return (
    `${type.name} (in ${module.name}) has @Poller, but Nest creates it for each request or for each place that injects it. ` +
    'Polls happen outside of requests: move the method to a provider with the default scope.'
  );
}

function describe(
  { method, options, isStatic }: PollerMetadata,
  place: string,
  provider: () => NestProvider | undefined,
): DeclaredPoller | readonly string[] {
  const owner = `@Poller of ${place}`;
  const problems = checkOptions(owner, options, OPTIONS);
  if (isStatic) problems.push(`${owner} is on a static method, which has no instance to call.`);
  for (const field of ['name', 'every', 'workflow'] as const) {
    if (options[field] === undefined) problems.push(missing(owner, field));
  }
  if (problems.length > 0) return problems;
  try {
    const workflowName = workflowNameOf(options.workflow);
    return {
      ...options,
      workflowName,
      place,
      call: (context) => call(provider(), method, context),
    };
  } catch (error) {
    if (!(error instanceof CloacinaError)) throw error;
    return [`${owner}: ${error.message}`];
  }
}

function missing(owner: string, field: keyof PollerOptions): string {
  // A class is undefined while the files of two classes import each other.
  const instead =
    field === 'workflow' ? ' Give the class, or its name if the files import each other.' : '';
  return `${owner} needs the option ${field}.${instead}`;
}

function call(provider: NestProvider | undefined, method: string, context: PollerContext): unknown {
  const instance = provider === undefined ? undefined : instanceOf(provider);
  const found: unknown = instance === undefined ? undefined : Reflect.get(instance, method);
  if (instance === undefined || typeof found !== 'function') {
    throw new TypeError(`Poller "${context.name}" has no method ${method}() to call.`);
  }
  return Reflect.apply(found, instance, [context]);
}
