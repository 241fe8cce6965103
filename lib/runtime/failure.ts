import type { MoveRefusal } from '../errors/index.js';

/** The kind of a statement's failure, which decides what to do next. */
export type FailureKind =
  /** Deadlock, serialization failure, lock or statement timeout: nothing was written. */
  | 'conflict'
  /**
   * The server could not be reached, or can't serve the statement now: it is shutting down, out of memory, disk or
   * connections, read-only, or refuses the login; or the schema refuses writes while its tenant moves to another server. A
   * later try may succeed.
   */
  | 'connection'
  /** A reason that the library does not know: nothing was written. The item may succeed when it is sent alone. */
  | 'passing'
  /** An item of the batch can't be stored: nothing was written. The caller has to find out which item it is. */
  | 'data'
  /** A missing object or a missing right: nothing was written, and another try would fail too. */
  | 'refused'
  /** An error that comes from this library's code, not from the server, the driver or the network. */
  | 'bug';

export interface Failure {
  readonly kind: FailureKind;
  /** Whether the statement may have been written although it failed. */
  readonly mayBeWritten: boolean;
  /** Whether the same statement may succeed when it is sent again. */
  readonly retryable: boolean;
  /** The statement timed out while it waited for a lock that another session holds. */
  readonly isLockTimeout: boolean;
  /** The schema refused the statement, because its tenant moves to another server or has moved. */
  readonly move?: MoveRefusal;
}

/** Classifies the failure of a statement. The store implements it, because only the store knows the server's codes. */
export interface FailureClassifier {
  classifyFailure(error: unknown): Failure;
}
