import { CloacinaError } from './cloacina-error.js';

/**
 * The token is not one that this application signed: it is damaged, forged, signed with a secret that is no longer in
 * `signalSecret`, or of a tenant that this process does not serve. The message does not tell which.
 *
 * A controller need not catch it: Nest answers 403.
 */
export class InvalidTokenError extends CloacinaError {
  /** The HTTP status for a request that ends in this error, as Nest, Express and Fastify read it. */
  readonly status = 403;
  readonly statusCode = 403;
  /** The message is for the developer. Clients get the name of the status. */
  readonly expose = false;

  constructor() {
    super(
      'INVALID_TOKEN',
      'The signal token is not valid. Pass it exactly as context.signalToken() returned it, to a process that has the ' +
        'same signalSecret and serves the tenant of the task.',
    );
  }
}

/** The token was valid until a time that has passed. Nothing was sent. A controller need not catch it: Nest answers 410. */
export class TokenExpiredError extends CloacinaError {
  /** The HTTP status for a request that ends in this error, as Nest, Express and Fastify read it. */
  readonly status = 410;
  readonly statusCode = 410;
  /** Clients get the message. */
  readonly expose = true;
  /** When the token expired. */
  readonly expiredAt: Date;

  constructor(expiredAt: Date) {
    super(
      'TOKEN_EXPIRED',
      `The signal token expired at ${expiredAt.toISOString()}. Issue a new one with context.signalToken(), with a longer ` +
        'expiresIn if this is too early.',
    );
    this.expiredAt = expiredAt;
  }
}
