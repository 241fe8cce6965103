import { CloacinaError } from './cloacina-error.js';
import { withoutSecrets } from './without-secrets.js';

/**
 * A method with `@Poller` has returned something that can't be stored. The poll is rolled back, with its cursor, its starts
 * and its writes, and is tried again by the poller's `retry`.
 */
export class InvalidPollError extends CloacinaError {
  /** The name of the poller. */
  readonly poller: string;
  /** The part of the result that is not valid, such as `starts[2].key` or `cursor`. */
  readonly field: string;

  /** @param problem - a clause that follows the field, such as `must be an array, not 5` */
  constructor(poller: string, field: string, problem: string, options?: ErrorOptions) {
    super(
      'INVALID_POLL',
      withoutSecrets(
        `Poller ${JSON.stringify(poller)} has returned a result that is not valid: ${field} ${problem}. ` +
          'Nothing of the poll was stored; correct the method.',
      ),
      options,
    );
    this.poller = poller;
    this.field = field;
  }
}

/** Neither the code nor the tenant's schema has a poller of this name. */
export class UnknownPollerError extends CloacinaError {
  /** The requested name. */
  readonly poller: string;

  constructor(poller: string, tenant: string) {
    super(
      'UNKNOWN_POLLER',
      `Tenant ${JSON.stringify(tenant)} has no poller ${JSON.stringify(poller)}. Use pollers.list() to see its pollers.`,
    );
    this.poller = poller;
  }
}
