/** The value, where the code around it knows that there is one; should it be wrong, that is an error at once. */
export function assertDefined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('A value that must be there is missing: this is a bug.');
  return value;
}
