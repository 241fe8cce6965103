/**
 * What makes a class's instances known to other copies of this package, which an application may have: installed twice,
 * linked, or bundled. Classes that are recognized have a property by a registered symbol, and `instanceof` looks for it.
 */
export function brandOf(value: unknown, brand: symbol): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return Reflect.get(value, brand);
  } catch {
    // A proxy may throw when it is asked what it is.
    return undefined;
  }
}

/** What `instanceof` means for a class that doesn't say anything else. */
export function isOrdinaryInstance(type: unknown, value: unknown): boolean {
  return Function.prototype[Symbol.hasInstance].call(type as Function, value);
}

/** Gives the prototype the brand, and no name that a look at it would find. */
export function giveBrand(prototype: object, brand: symbol): void {
  Object.defineProperty(prototype, brand, { value: true });
}
