import { encodeJson } from './json-encoder.js';
import { sanitizeText, textOfThrown } from './text.js';

/** An error in the form in which the tenant's schema stores it and `get()` returns it. */
export interface StoredError {
  /** The error's name, or `NonError` for a thrown value without a name that is not an error. */
  name: string;
  /** The message, at most 10,000 characters. */
  message: string;
  /** The error's `code`, if it is a string or a number. */
  code?: string;
  /** The stack, followed by those of the causes; at most 20,000 characters. */
  stack?: string;
  /** The HTTP status, if the error has one. */
  status?: number;
  /** The body of the failed HTTP request's response: at most 2,000 characters of text or JSON. */
  response?: string;
  /** The error's `cause`, at most five levels deep. Its stack is part of the outermost `stack`. */
  cause?: StoredError;
  /** The first five errors of an AggregateError. */
  errors?: StoredError[];
}

/** Max characters of each text. */
const MAX_NAME = 200;
const MAX_MESSAGE = 10_000;
const MAX_STACK = 20_000;
/** Max levels of causes. */
const MAX_CAUSES = 5;
/** Max errors of an AggregateError. */
const MAX_ERRORS = 5;
/** Max characters of a nested error's message, and of a response. */
const MAX_INNER = 2_000;

/**
 * Describes a thrown value in a form that PostgreSQL can store. Never throws, even for a proxy or for an error whose
 * properties throw. A value that is not an error is named `NonError`.
 */
export function describeError(thrown: unknown): StoredError {
  const error = isError(thrown);
  const message = read(thrown, 'message') ?? (error ? '' : textOf(thrown));
  const name = read(thrown, 'name');
  const description: StoredError = {
    name: sanitizeText(name ?? '', MAX_NAME) || (error ? 'Error' : 'NonError'),
    message: sanitizeText(message, MAX_MESSAGE),
  };
  const code = read(thrown, 'code');
  if (code !== undefined) description.code = sanitizeText(code, MAX_NAME);
  const stack = stackWithCauses(thrown);
  if (stack !== undefined) description.stack = stack;
  return error ? { ...description, ...factsOf(thrown, MAX_CAUSES) } : description;
}

/** The HTTP facts, the cause and the nested errors of an error, a few levels deep. */
function factsOf(thrown: unknown, depth: number): Partial<StoredError> {
  const facts: Partial<StoredError> = httpFactsOf(thrown);
  if (depth === 0) return facts;
  const cause = property(thrown, 'cause');
  if (cause !== undefined && cause !== null) facts.cause = describeInner(cause, depth - 1);
  const errors = property(thrown, 'errors');
  if (Array.isArray(errors) && errors.length > 0) {
    // Without their own causes and errors, which could be large in sum.
    facts.errors = errors.slice(0, MAX_ERRORS).map((inner) => describeInner(inner, 0));
  }
  return facts;
}

function describeInner(thrown: unknown, depth: number): StoredError {
  const error = isError(thrown);
  const code = read(thrown, 'code');
  const message = read(thrown, 'message') ?? (error ? '' : textOf(thrown));
  return {
    name: sanitizeText(read(thrown, 'name') ?? '', MAX_NAME) || (error ? 'Error' : 'NonError'),
    message: sanitizeText(message, MAX_INNER),
    ...(code === undefined ? {} : { code: sanitizeText(code, MAX_NAME) }),
    ...factsOf(thrown, depth),
  };
}

/** The status and the response, in the properties that axios, got, ky, undici and Nest's HttpException use. */
function httpFactsOf(thrown: unknown): Partial<StoredError> {
  const response = property(thrown, 'response');
  const status = [thrown, response]
    .flatMap((holder) => [property(holder, 'status'), property(holder, 'statusCode')])
    .find((value) => Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599);
  if (typeof status !== 'number') return {};
  const body = property(response, 'data') ?? property(response, 'body') ?? plainBody(response);
  if (body === undefined || body === null || typeof body === 'function') return { status };
  const text = sanitizeText(bodyText(body), MAX_INNER);
  return text === '' ? { status } : { status, response: text };
}

/** The body, if `response` is the body itself, as in Nest's HttpException. HTTP clients have a class instance there. */
function plainBody(response: unknown): unknown {
  if (typeof response === 'string') return response;
  if (typeof response !== 'object' || response === null) return undefined;
  return prototypeOf(response) === Object.prototype ? response : undefined;
}

/** The body as text. Empty for a stream, such as the body of `fetch`, because only its consumer may read it. */
function bodyText(body: unknown): string {
  if (typeof body !== 'object' || body === null) return textOf(body);
  const prototype = prototypeOf(body);
  return Array.isArray(body) || prototype === Object.prototype || prototype === null
    ? textOf(body)
    : '';
}

function prototypeOf(value: object): unknown {
  try {
    return Object.getPrototypeOf(value);
  } catch {
    return undefined;
  }
}

function stackWithCauses(thrown: unknown): string | undefined {
  const own = read(thrown, 'stack');
  const stacks = own === undefined ? [] : [own];
  let cause = property(thrown, 'cause');
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined && cause !== null; depth++) {
    const text = read(cause, 'stack') ?? read(cause, 'message') ?? textOf(cause);
    stacks.push(`Caused by: ${text}`);
    cause = property(cause, 'cause');
  }
  // Each stack gets an equal share, so that a long one does not cut off the last cause.
  const share = Math.floor(MAX_STACK / Math.max(1, stacks.length)) - 1;
  return stacks.length === 0
    ? undefined
    : stacks.map((stack) => sanitizeText(stack, share)).join('\n');
}

/** A thrown value that is not an error, as text. An object is shown as JSON, because `[object Object]` says nothing. */
function textOf(thrown: unknown): string {
  const encoded = typeof thrown === 'object' ? encodeJson(thrown, MAX_MESSAGE) : undefined;
  return encoded?.ok === true ? encoded.json : textOfThrown(thrown, MAX_MESSAGE);
}

/** Checks the tag, for errors of other realms, and the prototype, for errors with a proxy or a tag of their own. */
function isError(thrown: unknown): boolean {
  try {
    return Object.prototype.toString.call(thrown) === '[object Error]' || thrown instanceof Error;
  } catch {
    return false;
  }
}

/** A property as text, if it is a string or a number. */
function read(thrown: unknown, key: string): string | undefined {
  const value = property(thrown, key);
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

function property(thrown: unknown, key: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null)
    return undefined;
  try {
    const value: unknown = Reflect.get(thrown, key);
    return value;
  } catch {
    return undefined;
  }
}
