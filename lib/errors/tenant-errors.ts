import { CloacinaError } from './cloacina-error.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** `CloacinaAdmin.createTenant()` found the tenant complete. It was left as it is, its password too. */
export class TenantExistsError extends CloacinaError {
  readonly schema: string;
  readonly username: string;

  constructor(schema: string, username: string) {
    super(
      'TENANT_EXISTS',
      `There is a tenant with the schema ${JSON.stringify(schema)} and the role ${JSON.stringify(username)} already. ` +
        'Its password is kept nowhere: use the one that createTenant() returned, or make a new one with rotatePassword().',
    );
    this.schema = schema;
    this.username = username;
  }
}

/**
 * `CloacinaAdmin` could not finish with a tenant. What it had committed stands; calling the same method again goes on
 * from there.
 */
export class TenantIncompleteError extends CloacinaError {
  readonly schema: string;
  /** What there is of the tenant: `schema "tenant_acme"`, `role "acme"`. */
  readonly remaining: readonly string[];

  /** @param facts.advice - what to do, a sentence */
  constructor(
    facts: {
      readonly operation: 'createTenant' | 'removeTenant' | 'rotatePassword';
      readonly schema: string;
      readonly remaining: readonly string[];
      readonly advice?: string;
    },
    options?: ErrorOptions,
  ) {
    const { operation, schema, remaining } = facts;
    const why = options?.cause === undefined ? '' : `: ${messageWithoutSecrets(options.cause)}`;
    const left = remaining.length === 0 ? 'nothing' : remaining.map(withoutSecrets).join(', ');
    super(
      'TENANT_INCOMPLETE',
      `${operation}() of schema ${JSON.stringify(schema)} did not finish${why}. There is now: ${left}. ` +
        (facts.advice ??
          `Put the cause right and call ${operation}() again: it goes on from here.`),
      options,
    );
    this.schema = schema;
    this.remaining = Object.freeze([...remaining]);
  }
}
