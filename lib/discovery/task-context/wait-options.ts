import type { Duration } from '../../workflow/duration.js';
import type { EventDefinition, SignalDefinition } from '../message-definitions.js';

/** Options of {@link TaskContext.waitFor} for a signal. */
export interface SignalWaitOptions {
  /**
   * The name of the wait, as of a step. Give one if a task waits more than once for the same message. Default: the name of
   * the signal; of an event its name and key.
   */
  name?: string;
  /** The longest wait. Then `undefined` is returned. Default: no limit. */
  timeout?: Duration;
}

/** Options of {@link TaskContext.waitFor} for an event. */
export interface EventWaitOptions extends SignalWaitOptions {
  /** The key of the event, 1 to 200 characters. */
  key: string;
  /** How old the event may be when the wait begins. Default: no older than the execution. */
  lookback?: Duration;
}

/** Options of {@link TaskContext.waitForAny}. */
export interface WaitForAnyOptions {
  /** The name of the wait, as of a step. Default: the labels. */
  name?: string;
  /** The longest wait. Then `undefined` is returned. Default: no limit. */
  timeout?: Duration;
  /** How old events may be when the wait begins. Default: no older than the execution. */
  lookback?: Duration;
}

/** Options of a wait without a time limit, which always returns a message. */
export interface NoTimeout {
  timeout?: undefined;
}

/** A message that {@link TaskContext.waitForAny} accepts: a signal, or an event with its key. */
export type MessageSource =
  // oxlint-disable-next-line typescript/no-explicit-any -- any payload
  SignalDefinition<any, any> | readonly [event: EventDefinition<any, any>, key: string];

/** The payload of a message as a task receives it. */
export type PayloadOf<M> =
  // oxlint-disable-next-line typescript/no-explicit-any -- the input of the sender does not matter
  M extends SignalDefinition<infer P, any>
    ? P
    : // oxlint-disable-next-line typescript/no-explicit-any -- as above
      M extends readonly [EventDefinition<infer P, any>, string]
      ? P
      : never;

/** The result of {@link TaskContext.waitForAny}: the label of the message that came first, and its payload. */
export type ReceivedMessage<S> = {
  [K in keyof S & string]: { readonly name: K; readonly payload: PayloadOf<S[K]> };
}[keyof S & string];
