import { findLimitKey, type LimitKey } from './limit-key.js';
import { MAX_CONCURRENCY, splitLimitKey, type CheckedRate, type Rate } from './limit.js';

/** What a start does while all slots of its key are taken; see {@link Admission}. */
export type WhenFull = 'queue' | 'skip' | 'cancelPrevious' | 'replaceQueued';

/**
 * The admission of whole executions: how many of a key run at a time, from their first task to their end, waits included.
 * The numbers are exact in any number of processes, also while processes are killed.
 */
export interface Admission {
  /**
   * The path of the key in the input, such as `accountId` or `customer.id`. The value there is a string, a number or a
   * boolean of at most 400 characters; a start without it throws an InvalidContextError. Default: all executions of the
   * workflow share one key.
   */
  readonly key?: string;
  /** The number of executions of each key that run at a time, 1 to 1,000. Default: 1,000. */
  readonly concurrency?: number;
  /**
   * How many executions of each key may begin in a time, such as `{ limit: 90, per: '1s' }`; `per` is in milliseconds or text.
   * Default: any number.
   */
  readonly rate?: Rate;
  /**
   * What happens to a start while the key has no free slot, or its rate no token:
   *
   * - `queue`: the execution waits for its turn, by priority and then by age.
   * - `skip`: no execution is stored. `start` returns the execution of the key that began last, with `created: false`. It
   *   refuses `runAt`, `delay` and `debounce` with an InvalidArgumentError.
   * - `cancelPrevious`: the oldest executions of the key are cancelled, and the new one takes their place.
   * - `replaceQueued`: at most one execution of the key waits. A newer one cancels it.
   *
   * A start with a `manager` is refused unless this is `queue`. Default: `queue`.
   */
  readonly whenFull?: WhenFull;
}

/** A checked admission, as it is hashed and stored. */
export interface CheckedAdmission {
  /** A path in the input. Absent: one key for the workflow. */
  readonly key?: string;
  readonly concurrency: number;
  readonly rate?: CheckedRate;
  readonly whenFull: WhenFull;
}

/** Max characters of a key. With the name of the workflow it fits into an entry of an index. */
const MAX_ADMISSION_KEY_LENGTH = 400;

/** Begins the stored keys of admissions. Names that applications choose for limits have no control characters. */
export const ADMISSION_PREFIX = 'admission\u001e';

/**
 * The admission of a workflow whose newest definition has none: executions of former definitions that still wait are
 * admitted as there is room.
 */
export const NO_ADMISSION: CheckedAdmission = { concurrency: MAX_CONCURRENCY, whenFull: 'queue' };

/** The name under which the numbers of a workflow's admission are set at run time. */
export function admissionLimitName(workflow: string): string {
  return `${ADMISSION_PREFIX}${workflow}`;
}

/** The range of the stored keys of a workflow, or of all workflows and schedules, without its ends. */
export function admissionKeyRange(workflow: string | null): readonly [from: string, to: string] {
  if (workflow === null) return [ADMISSION_PREFIX, `${ADMISSION_PREFIX}\u{10ffff}`];
  const name = admissionLimitName(workflow);
  // Behind the keys of schedules, if the workflow is named as their mark.
  return [`${name}\u001e\u{10ffff}`, `${name}\u0020`];
}

/**
 * Computes the stored key of an execution. It depends on the stored definition and the input only, so a process without
 * the code computes the same one.
 */
export function findAdmissionKey(
  workflow: string,
  { key }: Pick<CheckedAdmission, 'key'>,
  input: unknown,
): LimitKey {
  const name = `${ADMISSION_PREFIX}${workflow}`;
  const found = findLimitKey({ name, ...(key === undefined ? {} : { key }) }, input);
  if (!found.ok) return found;
  const { length } = splitLimitKey(found.limitKey).key;
  return length <= MAX_ADMISSION_KEY_LENGTH
    ? found
    : {
        ok: false,
        problem: `has ${length} characters; at most ${MAX_ADMISSION_KEY_LENGTH} are allowed`,
      };
}

/** The workflow and the key in a stored key. The key is empty if all executions of the workflow share one. */
export function splitAdmissionKey(stored: string): {
  readonly workflow: string;
  readonly key: string;
} {
  const { name, key } = splitLimitKey(stored);
  return { workflow: name.slice(ADMISSION_PREFIX.length), key };
}
