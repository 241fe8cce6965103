/** Nest and promises look for these on whatever is injected; finding nothing there is no use of it. */
const LOOKED_AT_BY_NEST: ReadonlySet<string | symbol> = new Set([
  'then',
  'constructor',
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/**
 * Stands in for what cannot be provided, so that Nest goes on with the boot and everything that is wrong is found
 * and reported at once. Whoever uses it before gets the error.
 *
 * @param reason - makes the error, when it is used
 */
export function unavailable(reason: () => Error): object {
  return new Proxy(
    {},
    {
      get(_target, property) {
        // Symbols: inspection and conversion by loggers and debuggers.
        if (typeof property === 'symbol' || LOOKED_AT_BY_NEST.has(property)) return undefined;
        throw reason();
      },
    },
  );
}
