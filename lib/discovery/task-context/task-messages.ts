import type { Duration } from '../../workflow/duration.js';
import type { EventDefinition, SignalDefinition } from '../message-definitions.js';
import type {
  EventWaitOptions,
  MessageSource,
  NoTimeout,
  ReceivedMessage,
  SignalWaitOptions,
  WaitForAnyOptions,
} from './wait-options.js';

/** Waits for signals and events, without occupying a slot. */
export interface TaskMessages {
  /**
   * Waits for a signal to this execution, and takes the oldest one of its name. It may have been sent before. Like `sleep`, the
   * wait occupies nothing: if there is no signal, the task runs again from the beginning of its handler when there is one.
   *
   * Always await the call; what {@link TaskContext.sleep} says of its control signal holds here too.
   *
   * @returns the payload. With a `timeout`, `undefined` if no signal came in time
   * @throws DuplicateStepError for a second wait for the same signal in one run without a `name`; the task fails
   * @throws InvalidArgumentError for invalid options
   * @example
   * ```ts
   * const answer = await context.waitFor(Approval, { timeout: '14d' });
   * if (answer === undefined) return { status: 'expired' };
   * ```
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- the input of the sender does not matter
  waitFor<P>(signal: SignalDefinition<P, any>, options?: SignalWaitOptions & NoTimeout): Promise<P>;
  waitFor<P>(
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    signal: SignalDefinition<P, any>,
    options: SignalWaitOptions,
  ): Promise<P | undefined>;
  /**
   * Waits for an event with a key. An event that was sent before counts if it is not older than the execution, or than the
   * `lookback`. An event is not used up: every execution gets it. A task's next wait for the same event gets a later one.
   */
  waitFor<P>(
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    event: EventDefinition<P, any>,
    options: EventWaitOptions & NoTimeout,
  ): Promise<P>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  waitFor<P>(event: EventDefinition<P, any>, options: EventWaitOptions): Promise<P | undefined>;
  /**
   * Waits for the first of several signals and events. The oldest one wins; the others stay for later waits.
   *
   * @param of - the messages by labels, at most 20: signals, and events as `[event, key]`
   * @returns the label of the message as `name`, and its payload. With a `timeout`, `undefined` if none came in time
   * @example
   * ```ts
   * const first = await context.waitForAny({ paid: [InvoicePaid, id], withdrawn: Withdrawal }, { timeout: '30d' });
   * if (first?.name === 'paid') context.set('payment', first.payload);
   * ```
   */
  waitForAny<S extends Readonly<Record<string, MessageSource>>>(
    of: S,
    options?: WaitForAnyOptions & NoTimeout,
  ): Promise<ReceivedMessage<S>>;
  waitForAny<S extends Readonly<Record<string, MessageSource>>>(
    of: S,
    options: WaitForAnyOptions,
  ): Promise<ReceivedMessage<S> | undefined>;
  /**
   * Makes a token with which `CloacinaTokens.complete()` sends a signal to this execution, once, for a link in a mail or the
   * callback of a provider. It is text for a URL, and signed with `signalSecret`. Its holder can read the tenant's name and
   * the execution's id in it.
   *
   * Call it within a step, because every call makes a new token.
   *
   * @throws NotAllowedError without a `signalSecret`
   * @throws InvalidArgumentError for invalid options
   * @example
   * ```ts
   * await context.step('ask', () => {
   *   const token = context.signalToken(Approval, { expiresIn: '14d' });
   *   return this.mail.send(approver, `https://example.com/approvals/${token}`);
   * });
   * ```
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- any payload
  signalToken(signal: SignalDefinition<any, any>, options: { expiresIn: Duration }): string;
}
