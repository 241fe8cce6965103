import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EntityManager } from 'typeorm';
import { isEvent, isSignal } from '../discovery/message-definitions.js';
import type { EventDefinition, SignalDefinition } from '../discovery/message-definitions.js';
import { workflowNameOf, type WorkflowInput, type WorkflowRef } from '../discovery/workflow-ref.js';
import {
  ContextTooLargeError,
  InvalidArgumentError,
  InvalidContextError,
} from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { encodeJson, textProblem } from '../workflow/index.js';
import type { SignalTo } from '../store/port/index.js';
import type { ActorOptions } from './reason-options.js';

/** Options of {@link CloacinaRunner.signal} and {@link CloacinaRunner.emit}. */
export interface SendOptions {
  /**
   * The manager of an open transaction of the caller, in which the message is stored. If the transaction rolls back, the
   * message does not exist. It is delivered after the commit. Default: none.
   */
  manager?: EntityManager;
  /**
   * A key of 1 to 500 characters. A later message with the same key is dropped: for a signal, with the same execution and
   * name; for an event, with the same name and event key. Default: every call is a message of its own.
   */
  idempotencyKey?: string;
}

/** Options of {@link CloacinaRunner.signal}. */
export interface SignalSendOptions<R extends WorkflowRef = WorkflowRef>
  extends SendOptions, ActorOptions {
  /**
   * Starts the execution with this input if none has the key, in the same transaction. Only for a target with `workflow`
   * and `key`. Default: such a signal is refused with an UnknownExecutionError.
   */
  orStart?: { input?: WorkflowInput<R> };
}

/** The execution with an idempotency key. */
export interface KeyedTarget<R extends WorkflowRef = WorkflowRef> {
  /** The class, name or definition of the workflow. */
  readonly workflow: R;
  /** The idempotency key with which the execution was started. */
  readonly key: string;
}

/** The execution that a signal is for: its id, its handle, or its workflow and idempotency key. */
export type SignalTarget<R extends WorkflowRef = WorkflowRef> =
  string | { readonly id: string } | KeyedTarget<R>;

export const SEND_OPTIONS: ReadonlySet<string> = new Set<keyof SendOptions>([
  'manager',
  'idempotencyKey',
]);
export const SIGNAL_OPTIONS: ReadonlySet<string> = new Set<keyof SignalSendOptions>([
  'manager',
  'idempotencyKey',
  'orStart',
  'actor',
]);

export const OR_START_OPTIONS: ReadonlySet<string> = new Set<
  keyof NonNullable<SignalSendOptions['orStart']>
>(['input']);

const MAX_EVENT_KEY_LENGTH = 200;
const MAX_KEY_LENGTH = 500;
/** Of the name, key and idempotency key of an event together, in UTF-8: an entry of their index has at most 2,704 bytes. */
const MAX_EVENT_BYTES = 2_600;

/** @throws InvalidArgumentError for a value that is not a target */
export function checkTarget(to: unknown): SignalTo {
  if (typeof to === 'string') return { id: to };
  const id: unknown = Reflect.get(Object(to) as object, 'id');
  if (typeof id === 'string') return { id };
  const workflow: unknown = Reflect.get(Object(to) as object, 'workflow');
  if (workflow === undefined) {
    throw new InvalidArgumentError(
      'to',
      `must be the id or the handle of an execution, or { workflow, key }, not ${formatValue(to)}`,
    );
  }
  const key: unknown = Reflect.get(Object(to) as object, 'key');
  return {
    workflow: checkText('workflow', workflowNameOf(workflow as WorkflowRef), MAX_KEY_LENGTH),
    key: checkText('key', key, MAX_KEY_LENGTH),
  };
}

/** @throws InvalidArgumentError for a key that is empty or too long, or that PostgreSQL cannot store */
export function checkEventKey(key: unknown): string {
  return checkText('key', key, MAX_EVENT_KEY_LENGTH);
}

/**
 * Checks what PostgreSQL has to keep in one entry of an index.
 *
 * @throws InvalidArgumentError for a name and keys that are too long together
 */
export function checkEventSize(name: string, key: string, idempotencyKey: string | null): void {
  const bytes = Buffer.byteLength(name) + Buffer.byteLength(key + (idempotencyKey ?? ''));
  if (bytes <= MAX_EVENT_BYTES) return;
  throw new InvalidArgumentError(
    'idempotencyKey',
    `must have at most ${MAX_EVENT_BYTES} bytes of UTF-8 together with the event's name and key, not ${bytes}; give the ` +
      'event a shorter idempotency key, such as a hash of this one',
  );
}

/** @throws InvalidArgumentError for a value that `defineSignal()` did not make */
export function checkSignal(signal: unknown): SignalDefinition {
  if (isSignal(signal)) return signal;
  throw new InvalidArgumentError(
    'signal',
    `must be a result of defineSignal(), not ${formatValue(signal)}`,
  );
}

/** @throws InvalidArgumentError for a value that `defineEvent()` did not make */
export function checkEvent(event: unknown): EventDefinition {
  if (isEvent(event)) return event;
  throw new InvalidArgumentError(
    'event',
    `must be a result of defineEvent(), not ${formatValue(event)}`,
  );
}

/**
 * Checks a payload by the schema of its message, and encodes what the schema returns.
 *
 * @throws InvalidContextError for a payload that the schema refuses, or that JSON cannot carry
 * @throws ContextTooLargeError for more than `maxSize` bytes
 */
export async function encodePayload(
  { kind, name, schema }: SignalDefinition | EventDefinition,
  payload: unknown,
  maxSize: number,
): Promise<string> {
  const what = `The payload of the ${kind} ${JSON.stringify(name)}`;
  const checked = schema === undefined ? payload : await validated(schema, payload, what);
  if (checked === undefined) return 'null';
  const encoded = encodeJson(checked);
  if (!encoded.ok) {
    const at = encoded.path === '' ? '' : ` at ${encoded.path}`;
    throw new InvalidContextError('', '', encoded.problem, { whole: `${what}${at}` });
  }
  if (encoded.bytes > maxSize) {
    throw new ContextTooLargeError(encoded.bytes, maxSize, [[what, encoded.bytes]]);
  }
  return encoded.json;
}

async function validated(
  schema: StandardSchemaV1,
  payload: unknown,
  what: string,
): Promise<unknown> {
  const result = await schema['~standard'].validate(payload);
  if (result.issues === undefined) return result.value;
  const [issue] = result.issues;
  const path = (issue?.path ?? [])
    .map((part) => String(typeof part === 'object' ? part.key : part))
    .join('.');
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : '';
  const problem = `does not match its schema: ${issue?.message ?? 'it is invalid'}${more}`;
  const whole = path === '' ? what : `${what} at ${path}`;
  throw new InvalidContextError('', '', problem, { whole });
}

function checkText(argument: string, value: unknown, max: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > max) {
    throw new InvalidArgumentError(
      argument,
      `must be a string of 1 to ${max} characters, not ${formatValue(value)}`,
    );
  }
  const problem = textProblem(value);
  if (problem !== undefined) throw new InvalidArgumentError(argument, problem);
  return value;
}
