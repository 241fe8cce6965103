import { encodeJson } from './json-encoder.js';
import { sanitizeText, textOfThrown } from './text.js';

/** An error as it is stored; the texts are such as PostgreSQL takes, and bounded. */
export interface ErrorDescription {
  name: string;
  message: string;
  code?: string;
  stack?: string;
}

/** Characters that are kept of each text. */
const MAX_NAME = 200;
const MAX_MESSAGE = 10_000;
const MAX_STACK = 20_000;
/** Of an error, its cause, the cause's cause: how many are kept. */
const MAX_CAUSES = 5;

/**
 * What was thrown, as it can be stored. Never throws, whatever it is: a text, nothing, a proxy, an error whose
 * properties throw. What is not an error is named `NonError`. The causes' stacks come after the error's own.
 */
export function describeError(thrown: unknown): ErrorDescription {
  const error = isError(thrown);
  const message = read(thrown, 'message') ?? (error ? '' : textOf(thrown));
  const name = read(thrown, 'name');
  const description: ErrorDescription = {
    name: sanitizeText(name ?? '', MAX_NAME) || (error ? 'Error' : 'NonError'),
    message: sanitizeText(message, MAX_MESSAGE),
  };
  const code = read(thrown, 'code');
  if (code !== undefined) description.code = sanitizeText(code, MAX_NAME);
  const stack = stackWithCauses(thrown);
  if (stack !== undefined) description.stack = stack;
  return description;
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
