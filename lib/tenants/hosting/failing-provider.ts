/**
 * Stands in for an instance of a class that cannot be provided: what walks the providers of an application (explorers of
 * other modules, metadata scanners, loggers) sees an idle instance, and a call of one of the class's methods throws.
 *
 * It is a plain object with the class in its prototype chain. Reading a property never throws and never runs code, since
 * the walkers of other packages read whatever they find.
 *
 * @param type - the class, which may be abstract
 * @param reason - makes the error of a call
 * @param fields - what stands in for the instance's own properties; the others are undefined
 */
export function failingProvider(
  type: { readonly prototype: object },
  reason: () => Error,
  fields: Readonly<Record<string, unknown>> = {},
): object {
  return Object.create(failing(type.prototype, reason), hidden(fields));
}

/** A prototype between the instance and the class, with a property for everything that the class and its parents have. */
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

/** Accessors would run on an instance without fields. Methods named by a symbol are called by inspection, not by users. */
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

/** Not enumerable, as methods are; so nothing of it is logged, hashed or compared. */
function hidden(values: Readonly<Record<string | symbol, unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(
    Reflect.ownKeys(values).map((key) => [
      key,
      { value: values[key], writable: true, configurable: true },
    ]),
  );
}
