/**
 * `npm run test:faults` runs the files that ask for sizes a second time, in full size; `npm test` runs them in a size at which the same statements and the same turns of the code come about.
 */
export const FULL_SIZE = process.env['CLOACINA_TEST_SIZES'] === 'full';

/** How many there are: what the test claims, or what is enough for `npm test`. */
export function sized(full: number, quick: number): number {
  return FULL_SIZE ? full : quick;
}

/**
 * Each statement with each moment; in `npm test` each statement with one moment, the moments in turn, so that each
 * statement and each moment comes about.
 */
export function pairs<S, M>(statements: readonly S[], moments: readonly M[]): [S, M][] {
  return statements.flatMap((statement, i) =>
    moments
      .filter((_, j) => FULL_SIZE || j === i % moments.length)
      .map((moment): [S, M] => [statement, moment]),
  );
}

/** All cases, or those of `npm test`. */
export function cases<T>(all: readonly T[], isQuick: (each: T, index: number) => boolean): T[] {
  return FULL_SIZE ? [...all] : all.filter(isQuick);
}
