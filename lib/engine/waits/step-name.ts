import { InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import { textProblem } from '../../workflow/index.js';

/** Maximum length of a name, and of a key, in characters. */
const MAX_LENGTH = 200;

/** A name of a step or wait. */
export interface StepName {
  /** The name with its key, which must not occur twice in a run. */
  readonly shown: string;
  /** The same with the version: the name of the row. */
  readonly stored: string;
}

/**
 * Checks the name of a step, and joins it with its key and version.
 *
 * @throws InvalidArgumentError for a name, key or version that is not valid
 */
export function stepNameOf(
  name: unknown,
  { key, version }: { readonly key?: unknown; readonly version?: unknown } = {},
): StepName {
  checkText('name', name);
  if (/[#@]/.test(name)) {
    throw new InvalidArgumentError('name', `must not contain # or @, not ${formatValue(name)}`);
  }
  const shown = key === undefined ? name : `${name}#${keyText(key)}`;
  if (version === undefined) return { shown, stored: shown };
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    throw new InvalidArgumentError(
      'version',
      `must be a whole number from 1 on, not ${formatValue(version)}`,
    );
  }
  return { shown, stored: `${shown}@${version}` };
}

/** Escapes what separates name, key and version, so that no two of them give the same text. */
function keyText(key: unknown): string {
  if (typeof key === 'number') {
    if (Number.isFinite(key)) return String(key);
    throw new InvalidArgumentError('key', `must be a string or a number, not ${formatValue(key)}`);
  }
  checkText('key', key);
  return key.replace(/[%#@]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}

function checkText(argument: string, value: unknown): asserts value is string {
  const form = `must be a string of 1 to ${MAX_LENGTH} characters`;
  if (typeof value !== 'string' || value.length < 1 || value.length > MAX_LENGTH) {
    throw new InvalidArgumentError(argument, `${form}, not ${formatValue(value)}`);
  }
  const problem = textProblem(value);
  if (problem !== undefined) throw new InvalidArgumentError(argument, problem);
}
