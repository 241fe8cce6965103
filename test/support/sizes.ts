/**
 * `npm run test:faults` runs the files that are listed in its configuration a second time, in full size; `npm test` runs
 * them in a size at which the same statements and the same turns of the code come about.
 */
export const FULL_SIZE = process.env['CLOACINA_TEST_SIZES'] === 'full';

/** How many there are: what the test claims, or what is enough for `npm test`. */
export function sized(full: number, quick: number): number {
  return FULL_SIZE ? full : quick;
}

/** All cases, or those of `npm test`. */
export function cases<T>(all: readonly T[], isQuick: (each: T, index: number) => boolean): T[] {
  return FULL_SIZE ? [...all] : all.filter(isQuick);
}
