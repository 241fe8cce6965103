import { encodeJson } from './json-encoder.js';
import { sanitizeText, textOfThrown } from './text.js';

/** An error as it is kept in the tenant's schema and shown by `get()`; its texts are such as PostgreSQL takes. */
export interface StoredError {
  name: string;
  message: string;
  code?: string;
  stack?: string;
  /** The HTTP status, of an error that has one. */
  status?: number;
  /** What the other side of a failed HTTP request answered: at most 2,000 characters of text or JSON. */
  response?: string;
  /** Why, as the error says it: at most five levels deep, without stacks, which are in `stack`. */
  cause?: StoredError;
  /** Of an AggregateError the first five. */
  errors?: StoredError[];
}

/** Characters that are kept of each text. */
const MAX_NAME = 200;
const MAX_MESSAGE = 10_000;
const MAX_STACK = 20_000;
/** Of an error, its cause, the cause's cause: how many are kept. */
const MAX_CAUSES = 5;
/** Of the errors in an AggregateError. */
const MAX_ERRORS = 5;
/** Characters of what stands within an error: a cause's message, a response. */
const MAX_INNER = 2_000;

/**
 * What was thrown, as it can be stored. Never throws, whatever it is: a text, nothing, a proxy, an error whose
 * properties throw. What is not an error is named `NonError`. The causes' stacks come after the error's own.
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

/** What stands within an error, a few levels deep. */
function factsOf(thrown: unknown, depth: number): Partial<StoredError> {
  const facts: Partial<StoredError> = httpFactsOf(thrown);
  if (depth === 0) return facts;
  const cause = property(thrown, 'cause');
  if (cause !== undefined && cause !== null) facts.cause = describeInner(cause, depth - 1);
  const errors = property(thrown, 'errors');
  if (Array.isArray(errors) && errors.length > 0) {
    // Of each only itself: what is within many of them would be large.
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

/** As axios, got, ky, undici and Nest's HttpException have them. */
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

/** Nest's HttpException has the body as its response; an HTTP client has an object of its own class there. */
function plainBody(response: unknown): unknown {
  if (typeof response === 'string') return response;
  if (typeof response !== 'object' || response === null) return undefined;
  return prototypeOf(response) === Object.prototype ? response : undefined;
}

/** A stream, such as the body of `fetch`, is read by its consumer, and has no text here. */
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
  // Each gets its share, so that a long stack doesn't hide the cause at the end.
  const share = Math.floor(MAX_STACK / Math.max(1, stacks.length)) - 1;
  return stacks.length === 0
    ? undefined
    : stacks.map((stack) => sanitizeText(stack, share)).join('\n');
}

/** What is not an error, as text: an object as JSON, for '[object Object]' says nothing. */
function textOf(thrown: unknown): string {
  const encoded = typeof thrown === 'object' ? encodeJson(thrown, MAX_MESSAGE) : undefined;
  return encoded?.ok === true ? encoded.json : textOfThrown(thrown, MAX_MESSAGE);
}

/** By the tag, which errors of other realms have too; by the prototype for those that hide it behind a proxy or tag. */
function isError(thrown: unknown): boolean {
  try {
    return Object.prototype.toString.call(thrown) === '[object Error]' || thrown instanceof Error;
  } catch {
    return false;
  }
}

/** A property as text: of a string or a number; other types say nothing that can be relied on. */
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
