import { brandOf, isOrdinaryInstance } from './brand.js';
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
  | 'WORKFLOW_CANCELLED'
  | 'WORKFLOW_TIMEOUT'
  | 'WAIT_TIMEOUT'
  // tasks
  | 'TASK_TIMEOUT'
  | 'DEFERRAL_TIMEOUT'
  | 'TASK_ABANDONED'
  | 'CLAIM_LOST'
  // the database
  | 'DATABASE_UNAVAILABLE'
  | 'DATABASE_CONNECTION'
  | 'DATABASE_REFUSED'
  | 'CONNECTIONS_EXHAUSTED'
  | 'MIGRATION'
  | 'TABLES_MISSING'
  | 'UNREADABLE_DEFINITION'
  | 'PERMISSION';

/** Each error's code, under a name that other copies of this package know. */
const ERROR = Symbol.for('nestjs-cloacina:error');

/** 'UNKNOWN_WORKFLOW' gives 'UnknownWorkflowError'; from the code, so that a minifier cannot change stored names. */
function nameOf(code: string): string {
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
 * `instanceof` holds for errors of another copy of this package too.
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

  /** Errors of another copy count by their code, whose class here is the one that is named after it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (isOrdinaryInstance(this, value)) return true;
    const code = brandOf(value, ERROR);
    if (typeof code !== 'string') return false;
    if (this === CloacinaError) return true;
    const isOwn = Object.getPrototypeOf(this) === CloacinaError;
    return isOwn && this.name === nameOf(code);
  }

  constructor(code: CloacinaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: safeCause(options.cause) });
    this.code = code;
    Object.defineProperty(this, ERROR, { value: code });
    // As for built-in errors, the name is no enumerable property: loggers print it in the stack already.
    Object.defineProperty(this, 'name', {
      value: nameOf(code),
      configurable: true,
      writable: true,
    });
  }
}
