import { safeCause } from './without-secrets.js';

/**
 * Every code that an error of this library can carry, with the class that carries it. Codes are stable: a class may
 * gain facts or a better message, but its code never changes, so match on codes (or on `instanceof`), never on
 * messages. The rule is mechanical: `UNKNOWN_WORKFLOW` is the code of `UnknownWorkflowError`.
 */
export type CloacinaErrorCode =
  // configuration and use
  | 'CONFIGURATION'
  | 'SCHEMA_NAME'
  | 'INVALID_ARGUMENT'
  | 'NOT_ALLOWED'
  // names and ids
  | 'UNKNOWN_WORKFLOW'
  | 'UNKNOWN_TENANT'
  | 'NO_TENANT'
  | 'UNKNOWN_EXECUTION'
  | 'TENANT_REMOVED'
  | 'TENANT_EXISTS'
  | 'TENANT_INCOMPLETE'
  // executions
  | 'INVALID_TRANSITION'
  | 'INVALID_CONTEXT'
  | 'CONTEXT_TOO_LARGE'
  | 'WORKFLOW_FAILED'
  | 'WORKFLOW_TIMEOUT'
  | 'WAIT_TIMEOUT'
  // tasks
  | 'TASK_TIMEOUT'
  | 'DEFERRAL_TIMEOUT'
  | 'TASK_ABANDONED'
  | 'CLAIM_LOST'
  // the database
  | 'DATABASE_UNAVAILABLE'
  | 'DATABASE_REFUSED'
  | 'MIGRATION'
  | 'TABLES_MISSING'
  | 'UNREADABLE_DEFINITION'
  | 'PERMISSION';

/** 'UNKNOWN_WORKFLOW' gives 'UnknownWorkflowError'; from the code, so that a minifier cannot change stored names. */
function nameOf(code: CloacinaErrorCode): string {
  const words = code.toLowerCase().split('_');
  return `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}Error`;
}

/**
 * The root of every error that this library throws. The message says what is wrong and what to do about it; `code`
 * is for programs.
 *
 * A `cause` is kept without its secrets: a copy with the same name, message, code and stack, in which passwords are
 * masked, and which lacks what drivers attach (a `detail` with row values, the query and its parameters).
 *
 * @example
 * ```ts
 * try {
 *   await runner.start('order-fulfilment', { orderId: 1 });
 * } catch (error) {
 *   if (error instanceof CloacinaError && error.code === 'DATABASE_UNAVAILABLE') return tryLater();
 *   throw error;
 * }
 * ```
 */
export class CloacinaError extends Error {
  /** Stable; see {@link CloacinaErrorCode}. */
  readonly code: CloacinaErrorCode;

  constructor(code: CloacinaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: safeCause(options.cause) });
    this.code = code;
    // As for built-in errors, the name is no enumerable property: loggers print it in the stack already.
    Object.defineProperty(this, 'name', {
      value: nameOf(code),
      configurable: true,
      writable: true,
    });
  }
}
