import { CloacinaError } from './cloacina-error.js';

/**
 * The token is not one that this application signed: it is damaged, forged, signed with a secret that is no longer in
 * `signalSecret`, or of a tenant that this process does not serve. The message does not tell which.
 */
export class InvalidTokenError extends CloacinaError {
  constructor() {
    super(
      'INVALID_TOKEN',
      'The signal token is not valid. Pass it exactly as context.signalToken() returned it, to a process that has the ' +
        'same signalSecret and serves the tenant of the task.',
    );
  }
}

/** The token was valid until a time that has passed. Nothing was sent. */
export class TokenExpiredError extends CloacinaError {
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
