import { Logger, Scope } from '@nestjs/common';
import type { WorkflowRegistry } from '../discovery/registered-workflow.js';
import {
  getEventHandlers,
  type EventHandlerMetadata,
  type WorkflowEventFilter,
} from '../discovery/on-workflow-event.decorator.js';
import { checkServed } from '../discovery/workflow-filter.js';
import { workflowNameOf, type WorkflowRef } from '../discovery/workflow-ref.js';
import { instanceOf, type NestModule, type NestProvider } from '../discovery/workflow-providers.js';
import { didYouMean, toStoredError } from '../errors/index.js';
import { checkOptions, formatValue, anything, type Checks } from '../errors/option-checks.js';
import { EVENT_NAMES, type WorkflowEventName } from '../events/event-name.js';
import type { EventListener, EventListeners } from '../events/event-listeners.js';
import type { WorkflowEvent } from '../events/workflow-event.js';

const FILTER: Checks<WorkflowEventFilter> = { workflow: anything, tenant: anything };

interface Listening {
  readonly listeners: readonly EventListener[];
  readonly problems: readonly string[];
}

/**
 * Adds a listener for each method with `@OnWorkflowEvent`. Call it after Nest has made all instances. If any method has
 * a problem, no listener is added.
 *
 * @returns the problems, one or two sentences each
 */
export function addEventHandlers(
  modules: Iterable<NestModule>,
  registry: WorkflowRegistry,
  events: EventListeners,
): string[] {
  const found = [...modules].flatMap((module) =>
    [...module.providers.values(), ...module.controllers.values()].map((provider) =>
      listen(provider, module.name, registry),
    ),
  );
  const problems = found.flatMap((handlers) => handlers.problems);
  if (problems.length > 0) return problems;
  for (const { listeners } of found) for (const listener of listeners) events.add(listener);
  return [];
}

function listen(provider: NestProvider, module: string, registry: WorkflowRegistry): Listening {
  const instance = instanceOf(provider);
  // A factory provider's metatype is the factory function, so the instance's class comes first.
  const type: unknown = instance?.constructor ?? provider.metatype;
  const handlers = typeof type === 'function' && !provider.isAlias ? getEventHandlers(type) : [];
  if (typeof type !== 'function' || handlers.length === 0) return { listeners: [], problems: [] };
  if (provider.scope === Scope.TRANSIENT || !provider.isDependencyTreeStatic()) {
    const problem =
      `${type.name} (in ${module}) has @OnWorkflowEvent, but Nest creates it for each request or for each place that injects it. ` +
      'Events happen outside of requests: move the method to a provider with the default scope.';
    return { listeners: [], problems: [problem] };
  }
  if (instance === undefined) return { listeners: [], problems: [] };
  const problems = handlers.flatMap((handler) =>
    problemsOf(`${type.name}.${handler.method}()`, handler, registry),
  );
  if (problems.length > 0) return { listeners: [], problems };
  return {
    listeners: handlers.map((handler) => listenerOf(instance, type.name, handler)),
    problems,
  };
}

function problemsOf(
  owner: string,
  { names, filter }: EventHandlerMetadata,
  registry: WorkflowRegistry,
): string[] {
  const subject = `@OnWorkflowEvent of ${owner}`;
  const unknown = manyOf(names).filter((name) => !EVENT_NAMES.includes(name as string));
  const problems = unknown.map((name) =>
    typeof name === 'string'
      ? `${subject} has ${JSON.stringify(name)}, which is not an event.${didYouMean(name, EVENT_NAMES)}`
      : `${subject} has ${formatValue(name)}, which is not the name of an event.`,
  );
  problems.push(...checkOptions(subject, filter, FILTER));
  if (problems.length > 0) return problems;
  // A class that is not defined yet would widen the filter to all workflows.
  if ('workflow' in filter && manyOf(filter.workflow).includes(undefined)) {
    return [
      `${subject}: workflow is undefined, as a class is while files import each other. Give the name of the workflow ` +
        'instead, or leave the option out.',
    ];
  }
  problems.push(...checkServed(`${subject}: workflow`, workflowsOf(filter) ?? [], registry));
  const tenants = manyOf(filter.tenant ?? []);
  if (tenants.every((tenant) => typeof tenant === 'string' && tenant !== '')) return problems;
  return [...problems, `${subject}: tenant must be a tenant's name or a list of names.`];
}

function workflowsOf({ workflow }: WorkflowEventFilter): readonly WorkflowRef[] | undefined {
  return workflow === undefined ? undefined : (manyOf(workflow) as readonly WorkflowRef[]);
}

function manyOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function listenerOf(
  instance: object,
  type: string,
  { method, names, filter }: EventHandlerMetadata,
): EventListener {
  const logger = new Logger(type);
  const workflows = workflowsOf(filter)?.map(workflowNameOf);
  const tenants = filter.tenant === undefined ? undefined : manyOf(filter.tenant);
  const failed = (thrown: unknown): void => {
    const { name, message, stack } = toStoredError(thrown);
    const text = `${method}(), a method with @OnWorkflowEvent, failed: ${name}: ${message}`;
    logger.error(text, ...(stack === undefined ? [] : [stack]));
  };
  const call = (event: WorkflowEvent): unknown =>
    Reflect.apply(Reflect.get(instance, method) as (event: WorkflowEvent) => unknown, instance, [
      event,
    ]);
  return {
    names: manyOf(names) as readonly WorkflowEventName[],
    receive: (event) => {
      if (workflows?.includes(event.workflow) === false) return;
      if (tenants?.includes(event.tenant) === false) return;
      try {
        const result = call(event);
        if (!(result instanceof Promise)) return;
        return result.then(() => undefined, failed);
      } catch (error) {
        failed(error);
      }
    },
  };
}
