import type { CloacinaErrorCode } from '../errors/index.js';

/** An expected error: its code, a part of its message, a pattern of the message, or its class. */
export type ExpectedError =
  CloacinaErrorCode | (string & {}) | RegExp | (abstract new (...args: never[]) => Error);

/** The matchers of the test kit, for an execution of `run()`, `advanceUntil()`, `runner.get()` or `execute()`. */
export interface CloacinaMatchers<R = unknown> {
  /** The execution is Completed. */
  toHaveCompleted(): R;
  /**
   * The execution is Failed with this error. A string is compared with the code and the name of the error, and is searched in its
   * message. Without an argument, any error will do.
   */
  toHaveFailedWith(error?: ExpectedError): R;
  /** Exactly these tasks have run, in the order in which their first attempts began. */
  toHaveRun(tasks: readonly string[]): R;
}

// Adds the matchers to `expect` of the test runner that the application has. The others are not installed, which the compiler
// would report without the comments.
/* @ts-ignore -- `expect` of @jest/globals */
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends CloacinaMatchers<R> {}
}
/* @ts-ignore -- `expect` of Vitest */
declare module 'vitest' {
  interface Assertion<T> extends CloacinaMatchers<T> {}
}
declare global {
  namespace jest {
    interface Matchers<R, T> extends CloacinaMatchers<R> {}
  }
}
