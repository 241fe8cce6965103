import { Scope } from '@nestjs/common';
import { describeClass, describeDefinition, type BuiltRegistration } from './build-registration.js';
import {
  findProvided,
  type NestModule,
  type NestProvider,
  type ProvidedClass,
} from './workflow-providers.js';
import { DECORATORS } from './node-source.js';
import type { RegisteredWorkflow } from './registered-workflow.js';
import { BUILT_IN_PREFIX, isBuiltInName } from '../workflow/index.js';
import { getTasks, getWorkflowOptions } from './workflow-metadata.js';
import { joinLimits, type NamedLimit } from '../workflow/limit-table.js';

/** The workflows that the modules of an application provide. */
export interface Exploration {
  /** The workflows without a problem. */
  readonly workflows: readonly RegisteredWorkflow[];
  /** All problems, each one or two sentences. */
  readonly problems: readonly string[];
}

/**
 * Finds the workflows among the providers of all modules.
 *
 * @param instantiated - whether Nest has made all instances. Before that, the results of factories are unknown, and
 *   only a class's own scope is checked. After that, the scopes of all its dependencies are checked too
 */
export function exploreWorkflows(
  modules: Iterable<NestModule>,
  instantiated: boolean,
): Exploration {
  const { classes, definitions } = findProvided(modules);
  const described: BuiltRegistration[] = [];
  const problems: string[] = [];
  for (const [type, places] of groupBy(classes, (provided) => provided.type)) {
    const [first] = places;
    if (first === undefined) continue;
    const options = getWorkflowOptions(type);
    if (options === undefined) {
      problems.push(strayTasks(first));
      continue;
    }
    if (places.length > 1) problems.push(providedTwice(places));
    for (const place of places) problems.push(...scopeProblems(place, instantiated));
    described.push(describeClass(first, options));
  }
  // A definition has no state, so the same one in two modules is one workflow.
  for (const [, [first]] of groupBy(definitions, (provided) => provided.definition)) {
    if (first !== undefined) described.push(describeDefinition(first));
  }
  for (const [name, same] of groupBy(described, (workflow) => workflow.name)) {
    problems.push(...same.flatMap((workflow) => workflow.problems));
    if (same.length > 1) problems.push(definedTwice(name, same));
    if (isBuiltInName(name)) problems.push(...same.map(reservedName));
  }
  const workflows = described.flatMap(({ registered }) => registered ?? []);
  const limits = workflows.flatMap(({ definition }) => definition.limits ?? []);
  problems.push(...joinLimits(limits).problems, ...limits.flatMap(reservedLimit));
  return { workflows, problems };
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function strayTasks({ type, module }: ProvidedClass): string {
  const tasks = getTasks(type);
  const shown = tasks.map(({ method, node }) =>
    node === undefined || node.hasHandler === true ? `${method}()` : method,
  );
  const decorators = new Set(tasks.map(({ node }) => DECORATORS[node?.kind ?? 'task']));
  return `${type.name} (in ${module}) has ${[...decorators].join(' and ')} on ${shown.join(', ')}, but no @Workflow({ name }) on the class.`;
}

function providedTwice(places: readonly ProvidedClass[]): string {
  const name = places[0]?.type.name ?? '';
  const modules = places.map(({ module }) => module).join(' and ');
  return (
    `${name} is provided in ${modules}, so there are ${places.length} instances that could run the tasks. Provide it in ` +
    'one module, and let the others import that module.'
  );
}

function definedTwice(name: string, workflows: readonly BuiltRegistration[]): string {
  const places = workflows.map(({ place }) => place).join(', and by ');
  return `Workflow ${JSON.stringify(name)} is defined more than once: by ${places}. Rename or remove one of them.`;
}

function reservedName({ name, place }: BuiltRegistration): string {
  return (
    `Workflow ${JSON.stringify(name)} (${place}) has a reserved name: those that begin with ` +
    `${JSON.stringify(BUILT_IN_PREFIX)} are for workflows of the library. Rename it.`
  );
}

function reservedLimit({ name, place }: NamedLimit): string[] {
  if (!isBuiltInName(name)) return [];
  return [
    `Limit ${JSON.stringify(name)}, which ${place} names, has a reserved name: those that begin with ` +
      `${JSON.stringify(BUILT_IN_PREFIX)} are for limits of the library. Rename it.`,
  ];
}

function scopeProblems({ type, module, provider }: ProvidedClass, instantiated: boolean): string[] {
  const wrapper = provider();
  if (wrapper === undefined) return [];
  const singleton = 'Tasks run outside any request, so a workflow must be a singleton';
  if (wrapper.scope === Scope.REQUEST || wrapper.scope === Scope.TRANSIENT) {
    const scope = wrapper.scope === Scope.REQUEST ? 'request' : 'transient';
    return [`${type.name} (in ${module}) is ${scope}-scoped. ${singleton}: remove its scope.`];
  }
  // isDependencyTreeStatic() remembers its answer, which would be wrong before Nest knows all dependencies.
  if (!instantiated || wrapper.isDependencyTreeStatic()) return [];
  return [
    `${type.name} (in ${module}) is request-scoped through ${pathToRequestScope(wrapper)}. ${singleton}: ` +
      'inject ModuleRef and resolve that provider where it is needed, or remove its scope.',
  ];
}

/** The path to the provider that is request-scoped itself, such as `PaymentService → TenantConnection`. */
function pathToRequestScope(wrapper: NestProvider): string {
  const names: string[] = [];
  const seen = new Set<NestProvider>();
  for (let at: NestProvider | undefined = wrapper; at !== undefined && !seen.has(at);) {
    seen.add(at);
    const injected: NestProvider[] = [
      ...(at.getCtorMetadata() ?? []),
      ...(at.getPropertiesMetadata() ?? []).map((property) => property.wrapper),
    ];
    at = injected.find(
      (dependency) => dependency !== undefined && !dependency.isDependencyTreeStatic(),
    );
    if (at !== undefined) names.push(String(at.name));
  }
  return names.length === 0 ? 'what it injects' : names.join(' → ');
}
