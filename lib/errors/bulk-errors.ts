import { CloacinaError } from './cloacina-error.js';
import { messageWithoutSecrets } from './without-secrets.js';

/**
 * One of the executions of `startMany()` was not started; `cause` is the reason. The executions before it may be stored, and
 * none after it except those of the same statements. With a `key`, the call can be repeated: it finds those that are stored.
 */
export class StartManyError extends CloacinaError {
  /** The index of the input, from 0. */
  readonly index: number;
  /** The number of executions that the call has created. */
  readonly created: number;
  /** The number of inputs whose idempotency key found an earlier execution. */
  readonly existing: number;

  constructor(
    {
      index,
      created,
      existing,
    }: { readonly index: number; readonly created: number; readonly existing: number },
    cause: unknown,
  ) {
    const reason = messageWithoutSecrets(cause);
    super(
      'START_MANY',
      `startMany() has stopped at input ${index}, after it created ${created} executions: ${reason}`,
      { cause },
    );
    this.index = index;
    this.created = created;
    this.existing = existing;
  }
}
