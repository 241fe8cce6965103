import { CloacinaError } from './cloacina-error.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** `CloacinaAdmin.createTenant()` found a complete tenant, and left it and its password unchanged. */
export class TenantExistsError extends CloacinaError {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The role of the tenant. */
  readonly username: string;

  constructor(schema: string, username: string) {
    super(
      'TENANT_EXISTS',
      `A tenant with the schema ${JSON.stringify(schema)} and the role ${JSON.stringify(username)} exists already. ` +
        'Its password is not stored: use the one that createTenant() returned, or set a new one with rotatePassword().',
    );
    this.schema = schema;
    this.username = username;
  }
}

/**
 * A call of `CloacinaAdmin` did not finish. Its committed steps remain; call the same method again to continue.
 */
export class TenantIncompleteError extends CloacinaError {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The parts of the tenant that exist: `schema "tenant_acme"`, `role "acme"`. */
  readonly remaining: readonly string[];

  /** @param facts.advice - what to do, as a sentence */
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
    const left = remaining.length === 0 ? 'none' : remaining.map(withoutSecrets).join(', ');
    super(
      'TENANT_INCOMPLETE',
      `${operation}() of schema ${JSON.stringify(schema)} did not finish${why}. Existing parts: ${left}. ` +
        (facts.advice ?? `Fix the cause and call ${operation}() again to continue.`),
      options,
    );
    this.schema = schema;
    this.remaining = Object.freeze([...remaining]);
  }
}

/**
 * A schema has the library's tables on two servers of the option `servers`. A schema names one tenant of the whole fleet, so
 * the process serves the tenant that it served before, or neither of them. Nothing was changed.
 */
export class DuplicateSchemaError extends CloacinaError {
  readonly schema: string;
  /** The names of the servers. */
  readonly servers: readonly string[];

  constructor(schema: string, servers: readonly string[]) {
    super('DUPLICATE_SCHEMA', describeDuplicateSchema(schema, servers));
    this.schema = schema;
    this.servers = Object.freeze([...servers]);
  }
}

/** The problem as sentences. */
export function describeDuplicateSchema(schema: string, servers: readonly string[]): string {
  const names = servers.map((server) => JSON.stringify(server)).join(' and ');
  return (
    `The schema ${JSON.stringify(schema)} is a tenant's on the servers ${names}. Keep one of them, and rename or drop the ` +
    'other.'
  );
}

/** When a call that met a move should be made again, in milliseconds. A schema refuses writes for at most a few seconds. */
const RETRY_AFTER_MS = 3_000;

/**
 * The tenant moves to another server, and its schema refuses writes for the moment. Nothing was written. Calls wait for the end
 * of the move for `startTimeout` and then throw this error; a call with a `manager` throws it at once, because its transaction
 * has failed. Make the call again after `retryAfter`, a call with a `manager` in a new transaction.
 *
 * @example
 * ```ts
 * if (error instanceof TenantMovingError) response.header('Retry-After', String(Math.ceil(error.retryAfter / 1000)));
 * ```
 */
export class TenantMovingError extends CloacinaError {
  /** The tenant's name. Undefined if the statement was for no tenant in particular. */
  readonly tenant: string | undefined;
  /** The name of the server to which the tenant moves, or from which it arrives. */
  readonly peer: string;
  /** How long to wait before the next try, in milliseconds. */
  readonly retryAfter: number;

  constructor(
    facts: {
      readonly tenant?: string | undefined;
      /** The name of the other server. */
      readonly peer: string;
      /** The state of the schema that refused the call. */
      readonly state: 'stopping' | 'moved' | 'arriving';
      /** How long the call waited, in milliseconds. */
      readonly waitedMs: number;
    },
    options?: ErrorOptions,
  ) {
    const { tenant, peer, state, waitedMs } = facts;
    const subject = tenant === undefined ? 'The tenant' : `Tenant ${JSON.stringify(tenant)}`;
    const does = {
      stopping: `moves to server ${JSON.stringify(peer)}`,
      moved: `has moved to server ${JSON.stringify(peer)}, where this process does not serve it yet`,
      arriving: `is not complete here yet: it arrives from server ${JSON.stringify(peer)}`,
    }[state];
    const waited = waitedMs > 0 ? ` The call waited ${Math.round(waitedMs)} ms.` : '';
    super(
      'TENANT_MOVING',
      `${subject} ${does}. Nothing was written.${waited} Try again in ${RETRY_AFTER_MS} ms.`,
      options,
    );
    this.tenant = tenant;
    this.peer = peer;
    this.retryAfter = RETRY_AFTER_MS;
  }
}
