import { InvalidArgumentError } from './configuration-errors.js';
import { closestName, listNames } from './did-you-mean.js';
import { formatValue } from './option-checks.js';

/**
 * Checks that a call has only known options.
 *
 * @param call - the name of the call with its parentheses, such as `start()`
 * @throws InvalidArgumentError for an unknown option, with the option that was probably meant
 */
export function checkCallOptions(call: string, options: object, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(
      'options',
      `of ${call} must be an object, not ${formatValue(options)}`,
    );
  }
  // Every start runs this loop, so it allocates nothing, as Object.entries would.
  for (const key in options) {
    // An option that is undefined counts as left out, as in the module's options.
    if (known.has(key) || Reflect.get(options, key) === undefined) continue;
    const closest = closestName(key, known);
    const instead =
      closest === undefined
        ? `it takes ${listNames([...known])}`
        : `use ${JSON.stringify(closest)}`;
    throw new InvalidArgumentError(key, `is not an option of ${call}; ${instead}`);
  }
}
