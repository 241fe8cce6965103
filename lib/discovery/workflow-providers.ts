import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { BuiltWorkflow } from './workflow-builder.js';
import { getTasks, getWorkflowOptions } from './workflow-metadata.js';

/** Nest's internal module and provider types, derived from the container because Nest's index does not export them. */
export type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
export type NestProvider = NestModule['providers'] extends Map<unknown, infer P> ? P : never;
type ProviderToken = NestModule['providers'] extends Map<infer T, unknown> ? T : never;

interface ProvidedIn {
  /** The name of the module's class, for messages. */
  readonly module: string;
}

/** A class among a module's providers that has `@Workflow`, or methods with `@Task`. */
export interface ProvidedClass extends ProvidedIn {
  readonly type: Type<unknown>;
  /** Looks the provider up at each call, because Nest replaces its wrapper during the boot. */
  readonly provider: () => NestProvider | undefined;
}

/** A result of `defineWorkflow` among the values of a module. */
export interface ProvidedDefinition extends ProvidedIn {
  readonly definition: BuiltWorkflow;
}

export interface ProvidedWorkflows {
  readonly classes: readonly ProvidedClass[];
  readonly definitions: readonly ProvidedDefinition[];
}

/**
 * Finds workflow classes and definitions among the providers of all modules, in the order of the container. Aliases
 * (`useExisting`) are left out, because they add no instance. Before Nest has instantiated the providers, only the
 * token tells what a factory makes.
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

/**
 * The provider's instance, if there is one. For a request- or transient-scoped provider, Nest keeps a bare prototype.
 */
export function instanceOf(provider: NestProvider): object | undefined {
  const instance: unknown = provider.instance;
  return typeof instance === 'object' && instance !== null ? instance : undefined;
}

function workflowClassOf(
  token: ProviderToken,
  provider: NestProvider,
  instance: object | undefined,
): Type<unknown> | undefined {
  // The metatype of a factory is the factory itself. The token comes last: it identifies a test's mock of a workflow
  // class, but the class of an instance is more precise.
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
