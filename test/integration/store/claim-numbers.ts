let last = 0;

/** A number that no statement of a test's claimant has had, as the store gives one to each statement that may claim. */
export function nextNo(): number {
  return ++last;
}

/** The same for a statement that may also delete the lists of ended claims. */
export function nextBatch(ended: readonly number[] = []): { no: number; ended: readonly number[] } {
  return { no: nextNo(), ended };
}
