import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { BuiltWorkflow } from './workflow-builder.js';
import { getTasks, getWorkflowOptions } from './workflow-metadata.js';

/** Nest's module and provider as the container holds them; their own types are not exported by its index. */
export type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
export type NestProvider = NestModule['providers'] extends Map<unknown, infer P> ? P : never;
type ProviderToken = NestModule['providers'] extends Map<infer T, unknown> ? T : never;

interface ProvidedIn {
  /** The module's class, for messages. */
  readonly module: string;
}

/** A class with `@Workflow`, or with `@Task` methods only, among a module's providers. */
export interface ProvidedClass extends ProvidedIn {
  readonly type: Type<unknown>;
  /** Nest replaces a provider's wrapper while it boots, so it is looked up each time. */
  readonly provider: () => NestProvider | undefined;
}

/** What `defineWorkflow` built, among a module's values. */
export interface ProvidedDefinition extends ProvidedIn {
  readonly definition: BuiltWorkflow;
}

export interface ProvidedWorkflows {
  readonly classes: readonly ProvidedClass[];
  readonly definitions: readonly ProvidedDefinition[];
}

/**
 * All that modules provide which has to do with workflows, in the order of the container. Aliases (`useExisting`) are
 * no further instances, and left out. Before Nest has instantiated providers, what a factory makes is known by its
 * token only.
 */
export function findProvided(modules: Iterable<NestModule>): ProvidedWorkflows {
  const classes: ProvidedClass[] = [];
  const definitions: ProvidedDefinition[] = [];
  for (const module of modules) {
    for (const collection of [module.providers, module.controllers]) {
      for (const [token, provider] of collection) {
        if (provider.isAlias) continue;
        const instance = instanceOf(provider);
        if (instance instanceof BuiltWorkflow) {
          definitions.push({ module: module.name, definition: instance });
          continue;
        }
        const type = workflowClassOf(token, provider, instance);
        if (type !== undefined) {
          classes.push({ module: module.name, type, provider: () => collection.get(token) });
        }
      }
    }
  }
  return { classes, definitions };
}

/** The instance, when there is one: of what is request- or transient-scoped Nest keeps only a bare prototype. */
export function instanceOf(provider: NestProvider): object | undefined {
  const instance: unknown = provider.instance;
  return typeof instance === 'object' && instance !== null ? instance : undefined;
}

function workflowClassOf(
  token: ProviderToken,
  provider: NestProvider,
  instance: object | undefined,
): Type<unknown> | undefined {
  // Of a factory, the metatype is the factory itself. The token comes last: a test's mock under a workflow's class is
  // that workflow, but an instance or subclass says better what it is.
  const made: unknown = instance?.constructor;
  const written: unknown = provider.isFactory ? undefined : provider.metatype;
  return [made, written, token].find(isWorkflowClass);
}

function isWorkflowClass(value: unknown): value is Type<unknown> {
  return (
    typeof value === 'function' &&
    (getWorkflowOptions(value) !== undefined || getTasks(value).length > 0)
  );
}
