import { ConfigurationError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { checkLimit } from '../workflow/limit-check.js';
import type { LimitDefinition } from '../workflow/limit.js';

/**
 * Defines a limit that several tasks share. Its tasks give the path of the key:
 *
 * @example
 * ```ts
 * export const stripe = defineLimit('stripe', { concurrency: 4, rate: { limit: 90, per: '1s' }, total: 200 });
 *
 * @Task({ limit: { ...stripe, key: 'accountId' } })
 * ```
 *
 * @param name - 1 to 100 characters, unique in the application
 * @param numbers - at least one of `concurrency`, `rate` and `total`, and the order
 * @throws ConfigurationError for a name or a number that is not valid, and without any number
 */
export function defineLimit<const N extends string>(
  name: N,
  numbers: Omit<LimitDefinition, 'name'>,
): LimitDefinition & { readonly name: N } {
  const problems: string[] = [];
  const owner = `defineLimit(${formatValue(name)})`;
  const isObject = typeof numbers === 'object' && numbers !== null;
  const checked = checkLimit({ ...numbers, name }, (problem) =>
    problems.push(`${owner} ${problem}.`),
  );
  if (!isObject || (problems.length === 0 && checked.numbers === undefined)) {
    problems.push(`${owner} needs an object with concurrency, rate or total.`);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze({ ...numbers, name });
}
