/** Returns a value that the calling code knows to be defined, and throws if it is not. */
export function assertDefined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('A value that must be there is missing: this is a bug.');
  return value;
}
