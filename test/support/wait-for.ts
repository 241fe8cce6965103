export interface WaitOptions {
  /** Milliseconds until the wait fails, 60 s unless told: what a stall is given up after, and not what a test asserts. */
  deadline?: number;
  /** Milliseconds between two looks, at least. */
  every?: number;
  /** What was waited for, for the message of the failure. */
  what?: string;
}

/** Looks take at most one part in this number of the time of a wait: what is waited for needs the processors too. */
const SHARE = 5;
/** Milliseconds between two looks, at most, unless the caller says more. */
const LONGEST_PAUSE = 100;

/**
 * Looks until `look` returns something truthy, and returns that. An error thrown by `look` counts as "not yet", and
 * is the cause of the failure when nothing better comes before the deadline.
 */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  { deadline = 60_000, every = 10, what = 'the condition' }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + deadline;
  let last: unknown;
  for (;;) {
    const begun = performance.now();
    try {
      last = undefined;
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    const now = performance.now();
    if (now >= end) {
      throw new Error(`Waited ${deadline} ms in vain for ${what}.`, { cause: last });
    }
    const pause = Math.max(every, Math.min((SHARE - 1) * (now - begun), LONGEST_PAUSE));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
