import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidArgumentError } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { formatValue } from '../errors/option-checks.js';
import {
  DURATION_FORM,
  isMessageRef,
  parseDuration,
  textProblem,
  type Duration,
} from '../workflow/index.js';
import type { Stored } from './context-types.js';
import { isStandardSchema } from './definition-options.js';

/** How long an event is kept unless its definition says otherwise, in milliseconds: 7 days. */
const DEFAULT_KEEP_FOR_MS = 7 * 86_400_000;
/** Maximum length of a name, in characters. It is also the default name of a wait. */
const MAX_NAME_LENGTH = 200;

interface MessageDefinition<P, I> {
  /** The name, unique in the tenant among definitions of its kind. */
  readonly name: string;
  /** Checks every payload when it is sent. Absent: any JSON value. */
  readonly schema?: StandardSchemaV1;
  /** For the compiler only; never set. */
  readonly types?: { readonly payload: P; readonly input: I };
}

/**
 * A message to one execution; see {@link defineSignal}.
 *
 * `P` is the payload as a task receives it, `I` the payload as a sender gives it.
 */
export interface SignalDefinition<P = unknown, I = P> extends MessageDefinition<P, I> {
  readonly kind: 'signal';
}

/** A message to all executions that wait for its name and key; see {@link defineEvent}. */
export interface EventDefinition<P = unknown, I = P> extends MessageDefinition<P, I> {
  readonly kind: 'event';
  /** How long the database keeps each event, in milliseconds. */
  readonly keepForMs: number;
  /** Whether the definition does not say it, so that the tenant's `retention.events` comes before. */
  readonly keepForIsDefault?: true;
}

/** Options of {@link defineSignal}. */
export interface SignalOptions<S extends StandardSchemaV1 = StandardSchemaV1> {
  /** A Standard Schema, of Zod, Valibot or ArkType for example. Its output is stored. Default: any JSON value. */
  schema?: S;
}

/** Options of {@link defineEvent}. */
export interface EventOptions<
  S extends StandardSchemaV1 = StandardSchemaV1,
> extends SignalOptions<S> {
  /**
   * How long the database keeps each event, for executions that begin to wait later. Default: `retention.events` of the
   * tenant, else 7 days.
   */
  keepFor?: Duration;
}

/** The latest definition of each name. Tokens name signals, and their payloads have to be checked. */
const signals = new Map<string, SignalDefinition>();

/**
 * Defines a signal: a message that is sent to one execution and kept until one of its tasks takes it. A task takes
 * signals of a name in the order in which they were stored, each exactly once.
 *
 * Define it in a file that both the sender and the workflow import.
 *
 * @param name - 1 to 200 characters without `#` and `@`
 * @throws InvalidArgumentError for an invalid name or option
 * @example
 * ```ts
 * export const Approval = defineSignal('approval', { schema: z.object({ approved: z.boolean(), by: z.string() }) });
 *
 * const answer = await context.waitFor(Approval, { timeout: '14d' }); // in a task
 * await runner.signal(id, Approval, { approved: true, by: user.id }); // elsewhere
 * ```
 */
export function defineSignal<S extends StandardSchemaV1>(
  name: string,
  options: SignalOptions<S> & { schema: S },
): SignalDefinition<Stored<StandardSchemaV1.InferOutput<S>>, StandardSchemaV1.InferInput<S>>;
/** Defines a signal without a schema. `P` is the type of its payload, which is not checked. */
export function defineSignal<P = unknown>(name: string): SignalDefinition<Stored<P>, P>;
export function defineSignal(name: string, options: SignalOptions = {}): SignalDefinition {
  checkMessageName('defineSignal()', name);
  checkCallOptions('defineSignal()', options, SIGNAL_OPTIONS);
  const signal: SignalDefinition = { kind: 'signal', name, ...schemaOf(options) };
  signals.set(name, signal);
  return signal;
}

/**
 * Defines an event: a message that is sent to a name and a key. Every execution of the tenant that waits for both gets it,
 * and so does one that begins to wait later, unless the event is older than the execution.
 *
 * @param name - 1 to 200 characters without `#` and `@`
 * @throws InvalidArgumentError for an invalid name or option
 * @example
 * ```ts
 * export const InvoicePaid = defineEvent('invoice.paid', { schema: Payment, keepFor: '30d' });
 *
 * const payment = await context.waitFor(InvoicePaid, { key: context.require('invoiceId') }); // in a task
 * await runner.emit(InvoicePaid, 'inv-17', payment, { manager }); // elsewhere
 * ```
 */
export function defineEvent<S extends StandardSchemaV1>(
  name: string,
  options: EventOptions<S> & { schema: S },
): EventDefinition<Stored<StandardSchemaV1.InferOutput<S>>, StandardSchemaV1.InferInput<S>>;
/** Defines an event without a schema. `P` is the type of its payload, which is not checked. */
export function defineEvent<P = unknown>(
  name: string,
  options?: Omit<EventOptions, 'schema'>,
): EventDefinition<Stored<P>, P>;
export function defineEvent(name: string, options: EventOptions = {}): EventDefinition {
  checkMessageName('defineEvent()', name);
  checkCallOptions('defineEvent()', options, EVENT_OPTIONS);
  const { keepFor } = options;
  const keepForMs = keepFor === undefined ? DEFAULT_KEEP_FOR_MS : parseDuration(keepFor);
  if (keepForMs === undefined) {
    throw new InvalidArgumentError(
      'keepFor',
      `must be ${DURATION_FORM}, not ${formatValue(keepFor)}`,
    );
  }
  const byDefault = keepFor === undefined ? ({ keepForIsDefault: true } as const) : {};
  return { kind: 'event', name, keepForMs, ...byDefault, ...schemaOf(options) };
}

/** The definition of a signal that this process has made last; undefined if it has made none. */
export function definedSignal(name: string): SignalDefinition | undefined {
  return signals.get(name);
}

export function isSignal(value: unknown): value is SignalDefinition {
  return isMessageRef(value, 'signal');
}

export function isEvent(value: unknown): value is EventDefinition {
  return isMessageRef(value, 'event');
}

const SIGNAL_OPTIONS: ReadonlySet<string> = new Set<keyof SignalOptions>(['schema']);
const EVENT_OPTIONS: ReadonlySet<string> = new Set<keyof EventOptions>(['schema', 'keepFor']);

function schemaOf({ schema }: SignalOptions): { schema?: StandardSchemaV1 } {
  if (schema === undefined) return {};
  if (isStandardSchema(schema)) return { schema };
  throw new InvalidArgumentError(
    'schema',
    `must be a Standard Schema, such as z.object({ … }), not ${formatValue(schema)}`,
  );
}

function checkMessageName(call: string, name: unknown): void {
  const problem =
    typeof name !== 'string' || name.length === 0 || name.length > MAX_NAME_LENGTH
      ? `must be a string of 1 to ${MAX_NAME_LENGTH} characters, not ${formatValue(name)}`
      : /[#@]/.test(name)
        ? `must not contain # or @, not ${formatValue(name)}`
        : textProblem(name);
  if (problem !== undefined) throw new InvalidArgumentError('name', `of ${call} ${problem}`);
}
