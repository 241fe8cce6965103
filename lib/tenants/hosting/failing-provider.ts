/**
 * Stands in for an instance of a class that cannot be provided. Code that walks the providers of an application (explorers
 * of other modules, metadata scanners, loggers) sees an idle instance; calling one of the class's methods throws.
 *
 * It is a plain object with the class in its prototype chain. Reading a property never throws and never runs code, because
 * the walkers of other packages read every property that they find.
 *
 * @param type - the class, which may be abstract
 * @param reason - creates the error that a call throws
 * @param fields - values of the instance's own properties; all others are undefined
 */
export function failingProvider(
  type: { readonly prototype: object },
  reason: () => Error,
  fields: Readonly<Record<string, unknown>> = {},
): object {
  return Object.create(failing(type.prototype, reason), hidden(fields));
}

/** A prototype between the instance and the class. It overrides all members of the class and its parents. */
function failing(prototype: object, reason: () => Error): object {
  const properties: Record<string | symbol, unknown> = {};
  for (
    let at: object | null = prototype;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  ) {
    for (const key of Reflect.ownKeys(at)) {
      if (key === 'constructor' || key in properties) continue;
      properties[key] = standInFor(key, Reflect.getOwnPropertyDescriptor(at, key), reason);
    }
  }
  return Object.create(prototype, hidden(properties));
}

/**
 * Accessors become undefined, because they would run on an instance without fields. So do methods named by a symbol,
 * which inspection calls.
 */
function standInFor(
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  reason: () => Error,
): unknown {
  const value: unknown = descriptor?.value;
  if (typeof value !== 'function') return value;
  if (typeof key === 'symbol') return undefined;
  return {
    [key](): never {
      throw reason();
    },
  }[key];
}

/** Makes properties non-enumerable, as methods are, so that loggers, hashes and comparisons skip them. */
function hidden(values: Readonly<Record<string | symbol, unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(
    Reflect.ownKeys(values).map((key) => [
      key,
      { value: values[key], writable: true, configurable: true },
    ]),
  );
}
