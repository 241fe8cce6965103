import { describeError as describeThrown } from '../workflow/stored-error.js';
import { sanitizeText } from '../workflow/text.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** Characters of a message that was put together from several. */
const MAX_LENGTH = 10_000;

/** An error as it is kept in the tenant's schema and shown by `get()`. */
export interface StoredError {
  name: string;
  message: string;
  code?: string;
  stack?: string;
}

/** For what can't be looked at at all. */
const LAST_RESORT: StoredError = {
  name: 'NonError',
  message: 'What was thrown cannot be described.',
};

/**
 * Whatever a handler threw, in a form that can always be stored: never throws, bounded in size, without secrets, and
 * with nothing that PostgreSQL would refuse. Only the name, message, code and stack are taken, so a driver's
 * `detail`, its query and parameters stay behind.
 */
export function toStoredError(thrown: unknown): StoredError {
  try {
    return describe(thrown);
  } catch {
    // A failure that can't be stored would leave its task Running.
    return { ...LAST_RESORT };
  }
}

function describe(thrown: unknown): StoredError {
  const { name, message, code, stack } = describeThrown(thrown);
  return {
    name: masked(name),
    // Node's AggregateError, of a refused connection for instance, has its messages within.
    message: masked(message === '' ? messageWithoutSecrets(thrown) : message, MAX_LENGTH),
    ...(code === undefined ? {} : { code: masked(code) }),
    ...(stack === undefined ? {} : { stack: masked(stack) }),
  };
}

/** A mask may be longer than what it hides. */
function masked(text: string, maxLength = text.length): string {
  return sanitizeText(withoutSecrets(text), maxLength);
}

/**
 * A stored error in printable ASCII, for a database in whose encoding its texts can't be stored: what is beyond is
 * written as JSON escapes.
 */
export function toPlainError(stored: unknown): StoredError {
  const { name, message, code, stack } = toStoredError(stored);
  const plain = (text: string): string =>
    text.replace(
      /[^\n\x20-\x7e]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  return {
    name: plain(name),
    message: plain(message),
    ...(code === undefined ? {} : { code: plain(code) }),
    ...(stack === undefined ? {} : { stack: plain(stack) }),
  };
}
