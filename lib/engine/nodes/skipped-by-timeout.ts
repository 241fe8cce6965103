/**
 * What the built-in handler of a wait returns if the wait timed out and its node is to be Skipped. A value and not an error,
 * so that task interceptors see no failure.
 */
export const SKIPPED_BY_TIMEOUT: unique symbol = Symbol('skipped by timeout');
