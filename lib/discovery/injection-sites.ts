import 'reflect-metadata';
import type { NestModule, NestProvider } from './workflow-providers.js';

// Nest's metadata keys, which are the same in Nest 11 and 12. Nest's index does not export these constants.
const CONSTRUCTOR_TYPES = 'design:paramtypes';
const CONSTRUCTOR_TOKENS = 'self:paramtypes';
const PROPERTY_TOKENS = 'self:properties_metadata';
const OPTIONAL_PARAMETERS = 'optional:paramtypes';
const OPTIONAL_PROPERTIES = 'optional:properties_metadata';

/** A provider, controller or injectable that injects a token. */
export interface InjectionSite {
  /** The name of the consuming class, or the token of a factory provider. */
  readonly consumer: string;
  /** The name of the consumer's module class. */
  readonly module: string;
  /** The injected token. */
  readonly token: unknown;
  /** Whether all injections of the token in the consumer are optional. */
  readonly isOptional: boolean;
  /** Nest's wrapper of the consumer. */
  readonly provider: NestProvider;
}

/** A dependency, as its consumer declares it. */
interface Dependency {
  readonly token: unknown;
  readonly isOptional: boolean;
}

/**
 * Finds every injection of a token in all modules: constructor parameters, properties, and the `inject` of factories.
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

/** The injected tokens, each with whether all its injections in the consumer are optional. */
function injectedTokens(provider: NestProvider): ReadonlyMap<unknown, boolean> {
  const tokens = new Map<unknown, boolean>();
  for (const { token, isOptional } of dependenciesOf(provider)) {
    tokens.set(token, isOptional && (tokens.get(token) ?? true));
  }
  return tokens;
}

function dependenciesOf(provider: NestProvider): Dependency[] {
  // A factory lists its dependencies in `inject`. Nest treats an alias as a factory.
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
