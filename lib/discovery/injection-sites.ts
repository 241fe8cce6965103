import 'reflect-metadata';
import type { NestModule, NestProvider } from './workflow-providers.js';

// Nest's metadata keys. The constants are exported by no index of Nest, and are the same in 11 and 12.
const CONSTRUCTOR_TYPES = 'design:paramtypes';
const CONSTRUCTOR_TOKENS = 'self:paramtypes';
const PROPERTY_TOKENS = 'self:properties_metadata';

/** A place where something is injected. */
export interface InjectionSite {
  /** The class, or the token of the factory's provider. */
  readonly consumer: string;
  /** The module's class. */
  readonly module: string;
  /** What is injected. */
  readonly token: unknown;
}

/**
 * Every place where one of `tokens` is injected: constructor parameters, properties, and what factories inject, in
 * all modules but those of the classes in `except`.
 */
export function findInjectionSites(
  modules: Iterable<NestModule>,
  tokens: ReadonlySet<unknown>,
  except: ReadonlySet<unknown>,
): InjectionSite[] {
  const sites: InjectionSite[] = [];
  for (const module of modules) {
    if (except.has(module.metatype)) continue;
    for (const collection of [module.providers, module.controllers, module.injectables]) {
      for (const provider of collection.values()) {
        for (const token of new Set(injectedTokens(provider))) {
          if (!tokens.has(token)) continue;
          sites.push({ consumer: String(provider.name), module: module.name, token });
        }
      }
    }
  }
  return sites;
}

function injectedTokens(provider: NestProvider): unknown[] {
  // A factory says what it injects; an alias is one too.
  if (provider.isFactory) return (provider.inject ?? []).map(unwrap);
  const type: unknown = provider.metatype;
  if (typeof type !== 'function') return [];
  const parameters = [...listOf(Reflect.getMetadata(CONSTRUCTOR_TYPES, type))];
  for (const own of listOf(Reflect.getMetadata(CONSTRUCTOR_TOKENS, type))) {
    const index = property(own, 'index');
    // @Inject(token) stands in for the parameter's type.
    if (typeof index === 'number') parameters[index] = property(own, 'param');
  }
  const properties = listOf(Reflect.getMetadata(PROPERTY_TOKENS, type)).map((own) =>
    property(own, 'type'),
  );
  return [...parameters, ...properties].map(unwrap);
}

/** `{ token, optional }` and `forwardRef(() => token)` stand for the token. */
function unwrap(dependency: unknown): unknown {
  const forward = typeof dependency === 'function' ? undefined : property(dependency, 'forwardRef');
  if (typeof forward === 'function') return forward();
  return typeof dependency === 'function'
    ? dependency
    : (property(dependency, 'token') ?? dependency);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
