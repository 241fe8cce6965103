import { InvalidContextError } from '../../errors/index.js';
import type { AdmissionRequest } from '../../store/port/index.js';
import { findAdmissionKey } from '../../workflow/index.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';

/**
 * The slot that an execution asks for, or null if its workflow has no admission.
 *
 * @param input - JSON text of the input
 * @throws InvalidContextError if the input has no key, or a key that is not valid
 */
export function admissionOf(
  { workflow: { name, admission } }: RunnableDefinition,
  input: string,
): AdmissionRequest | null {
  if (admission === undefined) return null;
  const found = findAdmissionKey(name, admission, JSON.parse(input));
  if (!found.ok) {
    const path = admission.key ?? '';
    throw new InvalidContextError(
      path.split('.')[0] ?? '',
      path,
      `${found.problem}, and workflow "${name}" needs it as the key of its admission`,
    );
  }
  const { concurrency, rate, whenFull } = admission;
  return {
    key: found.limitKey,
    numbers: { concurrency, ...(rate === undefined ? {} : { rate }) },
    skips: whenFull === 'skip',
  };
}
