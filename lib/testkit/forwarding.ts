/**
 * An object that looks like an instance of a class, and passes everything on to another instance: the one of the process
 * that lives now. What was injected once works after a restart too.
 *
 * @param first - the first instance, which shows which properties there are, also while no process lives
 * @param current - throws while no process lives; then calls throw
 * @param overrides - methods in place of those of the instance
 */
export function forwarding<T extends object>(
  first: T,
  { current, isDown }: { readonly current: () => T; readonly isDown: () => boolean },
  overrides: Partial<T> = {},
): T {
  return new Proxy(Object.create(Object.getPrototypeOf(first) as object) as T, {
    get: (_, key) => {
      if (Object.hasOwn(overrides, key)) return Reflect.get(overrides, key) as unknown;
      const value: unknown = Reflect.get(isDown() ? first : current(), key);
      if (typeof value !== 'function' || key === 'constructor') return value;
      return (...args: unknown[]): unknown => {
        const target = current();
        return Reflect.apply(Reflect.get(target, key) as typeof value, target, args) as unknown;
      };
    },
  });
}
