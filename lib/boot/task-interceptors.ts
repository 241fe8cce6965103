import { Scope } from '@nestjs/common';
import type { TaskInterceptor } from '../discovery/task-interceptor.js';
import { instanceOf, type NestModule } from '../discovery/workflow-providers.js';
import { formatValue } from '../errors/option-checks.js';

const OWNER = 'CloacinaModule.forRoot(): taskInterceptors';

/**
 * The instances that Nest made of the classes in the option `taskInterceptors`, and the problems of those it could not
 * use.
 */
export function findTaskInterceptors(
  modules: Iterable<NestModule>,
  classes: readonly unknown[],
): { readonly interceptors: readonly TaskInterceptor[]; readonly problems: readonly string[] } {
  const all = [...modules];
  const found = classes.map((type) => find(all, type));
  return {
    interceptors: found.filter((each) => typeof each !== 'string'),
    problems: found.filter((each) => typeof each === 'string'),
  };
}

function find(modules: readonly NestModule[], type: unknown): TaskInterceptor | string {
  const name = formatValue(type);
  for (const { providers } of modules) {
    const provider = typeof type === 'function' ? providers.get(type) : undefined;
    if (provider === undefined) continue;
    if (provider.scope === Scope.TRANSIENT || !provider.isDependencyTreeStatic()) {
      return `${OWNER} has ${name}, which Nest creates for each request or for each place that injects it. Tasks run outside of requests: give it the default scope.`;
    }
    const instance = instanceOf(provider);
    return instance !== undefined && isInterceptor(instance)
      ? instance
      : `${OWNER} has ${name}, which has no method intercept(context, next).`;
  }
  return `${OWNER} has ${name}, which no module provides. Add it to the providers of a module.`;
}

function isInterceptor(instance: object): instance is TaskInterceptor {
  return typeof Reflect.get(instance, 'intercept') === 'function';
}
