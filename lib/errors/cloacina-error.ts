import { brandOf, isOrdinaryInstance } from './brand.js';
import { safeCause } from './without-secrets.js';

/**
 * The codes of this library's errors. Codes are stable, but messages may change: match on codes or with `instanceof`,
 * never on messages. Each class is named after its code: `UNKNOWN_WORKFLOW` is the code of `UnknownWorkflowError`.
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
  | 'UNKNOWN_SCHEDULE'
  | 'UNKNOWN_POLLER'
  | 'TENANT_REMOVED'
  | 'TENANT_EXISTS'
  | 'TENANT_INCOMPLETE'
  | 'DUPLICATE_SCHEMA'
  | 'MOVE_NOT_POSSIBLE'
  | 'MOVE_FAILED'
  | 'TENANT_MOVING'
  // executions
  | 'INVALID_TRANSITION'
  | 'START_MANY'
  | 'QUEUE_FULL'
  | 'INVALID_CONTEXT'
  | 'CONTEXT_TOO_LARGE'
  | 'WORKFLOW_FAILED'
  | 'WORKFLOW_CANCELLED'
  | 'WORKFLOW_TIMEOUT'
  | 'WAIT_TIMEOUT'
  | 'EXECUTION_STUCK'
  // tasks
  | 'TASK_TIMEOUT'
  | 'DEFERRAL_TIMEOUT'
  | 'SIGNAL_TIMEOUT'
  | 'TASK_ABANDONED'
  | 'CHILD_FAILED'
  | 'CHILD_CANCELLED'
  | 'CHILD_MISSING'
  | 'CLAIM_LOST'
  | 'DUPLICATE_STEP'
  | 'TOO_MANY_STEPS'
  | 'STEPS_TOO_LARGE'
  | 'ITEMS_FAILED'
  | 'TOO_MANY_ITEMS'
  | 'INVALID_POLL'
  // tokens of signals
  | 'INVALID_TOKEN'
  | 'TOKEN_EXPIRED'
  // the database
  | 'DATABASE_UNAVAILABLE'
  | 'DATABASE_CONNECTION'
  | 'DATABASE_REFUSED'
  | 'CONNECTIONS_EXHAUSTED'
  | 'MIGRATION'
  | 'TABLES_MISSING'
  | 'UNREADABLE_DEFINITION'
  | 'PERMISSION';

/** The key of an error's code. It is a registered symbol, which other copies of this package know. */
const ERROR = Symbol.for('nestjs-cloacina:error');

/** `UnknownWorkflowError` for `UNKNOWN_WORKFLOW`. Derived from the code, because a minifier may rename classes. */
function nameOf(code: string): string {
  const words = code.toLowerCase().split('_');
  return `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}Error`;
}

/**
 * The base class of every error that this library throws. The message says what is wrong and what to do; `code` is for
 * programs.
 *
 * The `cause` is a copy of the original error with its name, message, code and stack. Passwords in it are masked. It
 * lacks what drivers attach: a `detail` with row values, the query and its parameters.
 *
 * `instanceof` also works for errors of another copy of this package.
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
  /** The stable code of the error; see {@link CloacinaErrorCode}. */
  readonly code: CloacinaErrorCode;

  /** Recognizes an error of another copy of this package by its code, after which the class is named. */
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
    // Not enumerable, as in built-in errors: loggers print the name as a part of the stack already.
    Object.defineProperty(this, 'name', {
      value: nameOf(code),
      configurable: true,
      writable: true,
    });
  }
}
