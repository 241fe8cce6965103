import type { FactoryProvider, InjectionToken, Provider, Type } from '@nestjs/common';
import type { CloacinaAsyncOptions } from '../cloacina.options.js';
import { anything, checkOptions, type Checks } from '../errors/option-checks.js';
import type { OptionsSource } from './registration.js';

const ASYNC_OPTIONS: Checks<CloacinaAsyncOptions<unknown>> = {
  tenant: anything,
  imports: anything,
  inject: anything,
  useFactory: anything,
  useClass: anything,
  useExisting: anything,
};

/** Checks the argument of forRootAsync or forTenantAsync. Returns the problems, one sentence each. */
export function checkAsyncOptions(owner: string, options: unknown): string[] {
  const problems = checkOptions(owner, options, ASYNC_OPTIONS);
  if (problems.length > 0 || typeof options !== 'object' || options === null) return problems;
  const ways = ['useFactory', 'useClass', 'useExisting'];
  const given = ways.filter((way) => Reflect.get(options, way) !== undefined);
  if (given.length === 1) return [];
  return [
    `${owner}: give it one of ${ways.join(', ')}; it has ${given.length === 0 ? 'none' : given.join(' and ')}.`,
  ];
}

/**
 * Provides the options that the application's factory returns. A factory's failure is provided as a value too, so that
 * the boot can report it together with all other problems.
 */
export function asyncOptionsProviders<O>(
  token: symbol,
  options: CloacinaAsyncOptions<O>,
): Provider[] {
  const { useFactory, useClass, useExisting, inject } = options;
  if (typeof useFactory === 'function') {
    const make = (...dependencies: unknown[]): Promise<OptionsSource> =>
      settle(() => useFactory(...dependencies));
    // `inject` is passed on unchecked: Nest checks it, as it does for the application's own factories.
    return [
      {
        provide: token,
        useFactory: make,
        inject: (inject ?? []) as FactoryProvider['inject'] & object,
      },
    ];
  }
  const factory: Type<unknown> | undefined = useClass ?? useExisting;
  if (factory === undefined) return [{ provide: token, useValue: { options: {} } }];
  const made: FactoryProvider = {
    provide: token,
    useFactory: (instance: unknown) => settle(() => callFactory(factory, instance)),
    inject: [factory satisfies InjectionToken],
  };
  return useClass === undefined ? [made] : [useClass, made];
}

function callFactory(type: Type<unknown>, instance: unknown): unknown {
  const create: unknown =
    typeof instance === 'object' && instance !== null
      ? Reflect.get(instance, 'createCloacinaOptions')
      : undefined;
  if (typeof create !== 'function') {
    throw new TypeError(
      `${type.name} has no method createCloacinaOptions(); it must implement CloacinaOptionsFactory`,
    );
  }
  return Reflect.apply(create, instance, []);
}

async function settle(make: () => unknown): Promise<OptionsSource> {
  try {
    return { options: await make() };
  } catch (failure) {
    return { failure };
  }
}
