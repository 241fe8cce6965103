import 'reflect-metadata';
import type { NestModule, NestProvider } from './workflow-providers.js';

// Nest's metadata keys. The constants are exported by no index of Nest, and are the same in 11 and 12.
const CONSTRUCTOR_TYPES = 'design:paramtypes';
const CONSTRUCTOR_TOKENS = 'self:paramtypes';
const PROPERTY_TOKENS = 'self:properties_metadata';
const OPTIONAL_PARAMETERS = 'optional:paramtypes';
const OPTIONAL_PROPERTIES = 'optional:properties_metadata';

/** A place where something is injected. */
export interface InjectionSite {
  /** The class, or the token of the factory's provider. */
  readonly consumer: string;
  /** The module's class. */
  readonly module: string;
  /** What is injected. */
  readonly token: unknown;
  /** Whether the consumer does without it, where nothing provides it. */
  readonly isOptional: boolean;
  /** Nest's record of the consumer. */
  readonly provider: NestProvider;
}

/** A dependency, as its consumer declares it. */
interface Dependency {
  readonly token: unknown;
  readonly isOptional: boolean;
}

/**
 * Every place where a token is injected: constructor parameters, properties, and what factories inject, in all modules.
 *
 * @param isWanted - which tokens to look for
 */
export function findInjectionSites(
  modules: Iterable<NestModule>,
  isWanted: (token: unknown) => boolean,
): InjectionSite[] {
  const sites: InjectionSite[] = [];
  for (const module of modules) {
    for (const collection of [module.providers, module.controllers, module.injectables]) {
      for (const provider of collection.values()) {
        for (const [token, isOptional] of injectedTokens(provider)) {
          if (!isWanted(token)) continue;
          const consumer = String(provider.name);
          sites.push({ consumer, module: module.name, token, isOptional, provider });
        }
      }
    }
  }
  return sites;
}

/** Each token once, and whether the consumer does without it everywhere. */
function injectedTokens(provider: NestProvider): ReadonlyMap<unknown, boolean> {
  const tokens = new Map<unknown, boolean>();
  for (const { token, isOptional } of dependenciesOf(provider)) {
    tokens.set(token, isOptional && (tokens.get(token) ?? true));
  }
  return tokens;
}

function dependenciesOf(provider: NestProvider): Dependency[] {
  // A factory says what it injects; an alias is one too.
  if (provider.isFactory) {
    return (provider.inject ?? []).map((own) => ({
      token: unwrap(own),
      isOptional: property(own, 'optional') === true,
    }));
  }
  const type: unknown = provider.metatype;
  if (typeof type !== 'function') return [];
  const parameters = [...listOf(Reflect.getMetadata(CONSTRUCTOR_TYPES, type))];
  for (const own of listOf(Reflect.getMetadata(CONSTRUCTOR_TOKENS, type))) {
    const index = property(own, 'index');
    // @Inject(token) stands in for the parameter's type.
    if (typeof index === 'number') parameters[index] = property(own, 'param');
  }
  const optionalParameters = new Set(listOf(Reflect.getMetadata(OPTIONAL_PARAMETERS, type)));
  const optionalProperties = new Set(listOf(Reflect.getMetadata(OPTIONAL_PROPERTIES, type)));
  return [
    ...parameters.map((own, index) => ({
      token: unwrap(own),
      isOptional: optionalParameters.has(index),
    })),
    ...listOf(Reflect.getMetadata(PROPERTY_TOKENS, type)).map((own) => ({
      token: unwrap(property(own, 'type')),
      isOptional: optionalProperties.has(property(own, 'key')),
    })),
  ];
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
