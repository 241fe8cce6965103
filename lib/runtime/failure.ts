/** What a failed statement says about itself, and so what may be done. */
export type FailureKind =
  /** Deadlock, serialization failure, lock or statement timeout: nothing was written. */
  | 'conflict'
  /**
   * The server could not be reached, or can do nothing now: it is going down, out of memory, disk or connections, takes
   * no writes, or refuses the login. It passes.
   */
  | 'connection'
  /** The server gave a reason that is not known here: nothing was written, and it may pass. Send the item by itself. */
  | 'passing'
  /** Something in the batch can't be stored: nothing was written, find out which. */
  | 'data'
  /** A missing object or a missing right: nothing was written, and another try changes nothing. */
  | 'refused'
  /** No error of the server, the driver or the network: a mistake in this library's code. */
  | 'bug';

export interface Failure {
  readonly kind: FailureKind;
  /** Whether it may have been written all the same. */
  readonly mayBeWritten: boolean;
  /** Whether the same statement may succeed when it is sent again. */
  readonly retryable: boolean;
  /** It waited for a lock for as long as it may: another session holds a row. */
  readonly isLockTimeout: boolean;
}

/** Tells what a failed statement means. The store has the only implementation that knows the server's codes. */
export interface FailureClassifier {
  classifyFailure(error: unknown): Failure;
}
