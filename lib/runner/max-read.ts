import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';

const MIN_READ = 1_000;
const MAX_READ = 100_000;

/** @throws InvalidArgumentError unless it is undefined, or a number of rows that a page may look at */
export function checkMaxRead(maxRead: number | undefined): number | undefined {
  if (maxRead === undefined) return undefined;
  if (Number.isInteger(maxRead) && maxRead >= MIN_READ && maxRead <= MAX_READ) return maxRead;
  throw new InvalidArgumentError(
    'maxRead',
    `must be a whole number from ${MIN_READ} to ${MAX_READ}, not ${formatValue(maxRead)}`,
  );
}
