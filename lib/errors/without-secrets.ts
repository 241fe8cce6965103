import { inspect, types } from 'node:util';
import { sanitizeText } from '../workflow/text.js';

const MASK = '***';
/** Max characters that are read of a text, which bounds the work for a huge one. */
const MAX_READ = 20_000;
/** Max nested errors that are searched for a message. */
const MAX_WITHIN = 100;
/** Max messages that are joined. */
const MAX_MESSAGES = 5;

/** A URL up to the next character that cannot be part of one. Code removes the userinfo, which keeps this linear. */
const URL_PATTERN = /([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s'"`<>]*)/gi;

/** An HTTP header with its whole value, as in a log, a curl command or JSON. */
const AUTHORIZATION_PATTERN =
  /\b(authorization["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\r\n"'}]+)/gi;
const BEARER_PATTERN = /\b(bearer\s+)[^\s,;"'`)}\]]+/gi;

/**
 * A name with the separator before its value: `x=`, `"x": `, or a space as in SQL's `x 'value'`. The lookbehind keeps
 * the pattern linear.
 */
const NAME_PATTERN = /(?<![\w-])([\w-]+)(["']?\s*[=:]\s*|\s+(?=E?'))/g;
const VALUE_PATTERN = /E?'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s,;&)}\]"']+/y;

/** Names of passwords and secrets: `PGPASSWORD`, `sslpassword`, `clientSecret`. */
const SECRET_NAME = /(?:password|passwd|passphrase|pwd|secret)$/i;
/** Names whose value is only secret after `=` or `:`, because an error message may contain `token 'x'`. */
const ASSIGNED_SECRET_NAME =
  /secret|token$|[_-]key$|(?:api|access|account|auth|encryption|private|session|shared|signing)key$/i;

/**
 * Masks the secrets that database errors and configuration can contain: the user and password of every URL, the values
 * of passwords, secrets, tokens and keys, and HTTP credentials.
 *
 * @example
 * ```ts
 * withoutSecrets('cannot reach postgres://app:s3cret@db:5432/shop'); // 'cannot reach postgres://***@db:5432/shop'
 * ```
 */
export function withoutSecrets(text: string): string {
  const withoutUrls = text.replace(URL_PATTERN, (_url, scheme: string, rest: string) => {
    // The last '@', because a password may contain an unescaped '@' or '/'.
    const at = rest.lastIndexOf('@');
    return at === -1 ? scheme + rest : `${scheme}${MASK}${rest.slice(at)}`;
  });
  return withoutAssignments(
    withoutUrls
      .replace(AUTHORIZATION_PATTERN, (_whole, header: string) => `${header}${MASK}`)
      .replace(BEARER_PATTERN, (_whole, scheme: string) => `${scheme}${MASK}`),
  );
}

/** Masks the values of secret names. After another name, the next text may be a secret name: `error: password=x`. */
function withoutAssignments(text: string): string {
  let result = '';
  let end = 0;
  for (const { 0: whole, 1: name = '', 2: between = '', index } of text.matchAll(NAME_PATTERN)) {
    const start = index + whole.length;
    const isAssigned = /[=:]/.test(between);
    const isSecret = SECRET_NAME.test(name) || (isAssigned && ASSIGNED_SECRET_NAME.test(name));
    if (!isSecret || index < end) continue;
    VALUE_PATTERN.lastIndex = start;
    if (!VALUE_PATTERN.test(text)) continue;
    result += `${text.slice(end, start)}${MASK}`;
    end = VALUE_PATTERN.lastIndex;
  }
  return result + text.slice(end);
}

/** Reads a property of any value. Returns undefined if a getter throws, or the value is a revoked proxy. */
export function readProperty(value: unknown, property: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null)
    return undefined;
  try {
    return Reflect.get(value, property);
  } catch {
    return undefined;
  }
}

function readText(value: unknown, property: string): string | undefined {
  const text = readProperty(value, property);
  return typeof text === 'string' ? masked(text) : undefined;
}

/** The text without secrets, bounded in length, and without characters that PostgreSQL cannot store. */
function masked(text: string): string {
  return withoutSecrets(sanitizeText(text, MAX_READ));
}

/** Whether a value is an error. It may come from another realm, such as a vm context of Jest. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || types.isNativeError(value);
  } catch {
    // A revoked proxy, or one whose handler throws.
    return false;
  }
}

/**
 * The message of any thrown value, for people: never empty, bounded, and without secrets. It never throws. For an error
 * without a message, such as Node's AggregateError, the messages of its nested errors are joined.
 */
export function messageWithoutSecrets(error: unknown): string {
  // Masked first: a text of characters that cannot be stored is empty only then.
  if (typeof error === 'string') return masked(error) || 'an empty text';
  const messages = new Set<string>();
  const seen = new Set<unknown>();
  const toSee: unknown[] = [error];
  while (toSee.length > 0 && seen.size < MAX_WITHIN && messages.size < MAX_MESSAGES) {
    const next = toSee.pop();
    if (seen.has(next)) continue;
    seen.add(next);
    const message = typeof next === 'string' ? masked(next) : readText(next, 'message');
    const within = message === undefined || message === '' ? errorsWithin(next) : [];
    if (within.length > 0) toSee.push(...within.toReversed());
    else messages.add(message === undefined || message === '' ? nameOf(next) : message);
  }
  return messages.size === 0 ? nameOf(error) : [...messages].join('; ');
}

/** The first errors of an AggregateError. */
function errorsWithin(error: unknown): unknown[] {
  const within = readProperty(error, 'errors');
  try {
    return Array.isArray(within)
      ? Array.from({ length: Math.min(MAX_MESSAGES, within.length) }, (_, i) =>
          readProperty(within, String(i)),
        )
      : [];
  } catch {
    return [];
  }
}

/** A text for an error without a message, or for a thrown value that is not an error. */
function nameOf(error: unknown): string {
  const code = readText(error, 'code');
  if (code !== undefined && code !== '') return code;
  if (isError(error)) return readText(error, 'name') || 'Error';
  try {
    return masked(
      inspect(error, { depth: 1, maxStringLength: 200, maxArrayLength: 5, breakLength: Infinity }),
    );
  } catch {
    return `a thrown ${typeof error} that cannot be shown`;
  }
}

/** Copies the name, message, code and stack of a cause, with secrets masked, and leaves out everything else. */
export function safeCause(cause: unknown): Error {
  const copy = new Error(messageWithoutSecrets(cause));
  Object.defineProperty(copy, 'name', {
    value: readText(cause, 'name') ?? 'Error',
    configurable: true,
    writable: true,
  });
  const code = readText(cause, 'code');
  if (code !== undefined) Object.assign(copy, { code });
  const stack = readText(cause, 'stack');
  if (stack !== undefined)
    Object.defineProperty(copy, 'stack', { value: stack, configurable: true, writable: true });
  return copy;
}
