import { InvalidArgumentError } from '../../errors/index.js';
import { encodeJson } from '../../workflow/index.js';

/** Maximum size of a progress value, in bytes of JSON. */
const MAX_PROGRESS_SIZE = 8_192;

/**
 * The JSON text of a progress value.
 *
 * @throws InvalidArgumentError for a value that JSON cannot carry, for null and undefined, and for one that is too large
 */
export function encodeProgress(value: unknown): string {
  if (value === undefined || value === null) {
    throw new InvalidArgumentError(
      'progress',
      `must be a JSON value such as { done: 3, total: 10 }, not ${String(value)}`,
    );
  }
  const encoded = encodeJson(value);
  if (!encoded.ok) {
    const where = encoded.path === '' ? '' : `at ${encoded.path} `;
    throw new InvalidArgumentError('progress', `${where}${encoded.problem}`);
  }
  if (encoded.bytes <= MAX_PROGRESS_SIZE) return encoded.json;
  throw new InvalidArgumentError(
    'progress',
    `must be at most ${MAX_PROGRESS_SIZE} bytes of JSON, not ${encoded.bytes}; report counts and a short text`,
  );
}
