import { inspect, types } from 'node:util';
import { sanitizeText } from '../workflow/text.js';

const MASK = '***';
/** Characters that are read of a text, so that a huge one costs no more than a large one. */
const MAX_READ = 20_000;
/** Errors within errors that are looked at for a message, and messages that are shown. */
const MAX_WITHIN = 100;
const MAX_MESSAGES = 5;

/** A URL up to the next character that cannot be part of one; its userinfo is cut in code, so this stays linear. */
const URL_PATTERN = /([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s'"`<>]*)/gi;

/** An HTTP header, as it stands in a log, a curl command or JSON: all of its value. */
const AUTHORIZATION_PATTERN =
  /\b(authorization["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\r\n"'}]+)/gi;
const BEARER_PATTERN = /\b(bearer\s+)[^\s,;"'`)}\]]+/gi;

/** A name and what stands between it and its value: `x=`, `"x": `, and SQL's `x 'value'`. Its start keeps this linear. */
const NAME_PATTERN = /(?<![\w-])([\w-]+)(["']?\s*[=:]\s*|\s+(?=E?'))/g;
const VALUE_PATTERN = /E?'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s,;&)}\]"']+/y;

/** What is called a password or secret: `PGPASSWORD`, `sslpassword`, `clientSecret`. */
const SECRET_NAME = /(?:password|passwd|passphrase|pwd|secret)$/i;
/** Secret only where a value is assigned: an error message may well have `token 'x'`. */
const ASSIGNED_SECRET_NAME =
  /secret|token$|[_-]key$|(?:api|access|account|auth|encryption|private|session|shared|signing)key$/i;

/**
 * The text without the secrets that database errors and configuration are known to show: the user and password of
 * every URL in it, the value of everything called a password, secret, token or key, and HTTP credentials.
 *
 * @example
 * ```ts
 * withoutSecrets('cannot reach postgres://app:s3cret@db:5432/shop'); // 'cannot reach postgres://***@db:5432/shop'
 * ```
 */
export function withoutSecrets(text: string): string {
  const withoutUrls = text.replace(URL_PATTERN, (_url, scheme: string, rest: string) => {
    // The last '@': people write passwords with an unescaped '@' or '/', and those must not survive either.
    const at = rest.lastIndexOf('@');
    return at === -1 ? scheme + rest : `${scheme}${MASK}${rest.slice(at)}`;
  });
  return withoutAssignments(
    withoutUrls
      .replace(AUTHORIZATION_PATTERN, (_whole, header: string) => `${header}${MASK}`)
      .replace(BEARER_PATTERN, (_whole, scheme: string) => `${scheme}${MASK}`),
  );
}

/** Goes on after a name that tells nothing, since what follows it may be the name that does: `error: password=x`. */
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

/** Reads a property of anything; a getter that throws, or a revoked proxy, reads as undefined. */
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

/** Bounded, and without what can't be stored or shown. */
function masked(text: string): string {
  return withoutSecrets(sanitizeText(text, MAX_READ));
}

/** Whether a value is an error, also one from another realm (a vm context, as in jest). */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || types.isNativeError(value);
  } catch {
    // A revoked proxy, or one whose handler throws.
    return false;
  }
}

/**
 * An error as text for people: never empty, bounded, and without secrets; never throws, whatever it is. Node's
 * AggregateError has no message of its own, so the messages of the errors within are given, however deep they are.
 */
export function messageWithoutSecrets(error: unknown): string {
  if (typeof error === 'string') return error === '' ? 'an empty text' : masked(error);
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

/** The first of an AggregateError's errors. */
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

/** What to call an error that has no message, or what is thrown and no error. */
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

/** What an error's cause may carry: its name, message, code and stack, each masked; nothing else of the original. */
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
