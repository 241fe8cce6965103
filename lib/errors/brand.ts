/**
 * Reads the brand of an object: a property under a registered symbol. An application may load the package twice: in a
 * monorepo, after `npm link`, or in a bundle. `instanceof` of a branded class also accepts objects of the other copy,
 * because it looks for the brand.
 */
export function brandOf(value: unknown, brand: symbol): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return Reflect.get(value, brand);
  } catch {
    // A proxy may throw.
    return undefined;
  }
}

/** The standard meaning of `instanceof`, for classes that override it. */
export function isOrdinaryInstance(type: unknown, value: unknown): boolean {
  return Function.prototype[Symbol.hasInstance].call(type as Function, value);
}

/** Adds the brand to a prototype, as a property that is not enumerable. */
export function giveBrand(prototype: object, brand: symbol): void {
  Object.defineProperty(prototype, brand, { value: true });
}
