import { Logger } from '@nestjs/common';
import { toStoredError } from '../errors/index.js';

/**
 * Reports reads of a batcher that have failed for some seconds: claimed tasks wait for them.
 *
 * @param what - the things that are read
 */
export function lateReads(
  schema: string,
  what: string,
): (items: readonly unknown[], error: unknown) => void {
  const logger = new Logger('Cloacina');
  return (items, error) =>
    logger.warn(
      `Schema "${schema}": ${what} could not be read for some seconds and will be retried; ${items.length} running tasks wait for ` +
        `them: ${toStoredError(error).message}`,
    );
}
