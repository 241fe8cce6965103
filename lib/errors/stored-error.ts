import { describeError, type StoredError } from '../workflow/describe-error.js';
import { sanitizeText } from '../workflow/text.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** Characters of a message that was put together from several. */
const MAX_LENGTH = 10_000;

/** For what can't be looked at at all. */
const LAST_RESORT: StoredError = {
  name: 'NonError',
  message: 'What was thrown cannot be described.',
};

/**
 * Whatever a handler threw, in a form that can always be stored: never throws, bounded in size, without secrets, and
 * with nothing that PostgreSQL would refuse. Only what a {@link StoredError} has is taken, so a driver's `detail`, its
 * query and parameters stay behind.
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
  const described = describeError(thrown);
  // Node's AggregateError, of a refused connection for instance, has its messages within.
  const message = described.message === '' ? messageWithoutSecrets(thrown) : described.message;
  return withTexts({ ...described, message: sanitizeText(message, MAX_LENGTH) }, masked);
}

/** The same error with other texts, those within it too. */
function withTexts(error: StoredError, change: (text: string) => string): StoredError {
  const { code, stack, response, cause, errors } = error;
  return {
    ...error,
    name: change(error.name),
    message: change(error.message),
    ...(code === undefined ? {} : { code: change(code) }),
    ...(stack === undefined ? {} : { stack: change(stack) }),
    ...(response === undefined ? {} : { response: change(response) }),
    ...(cause === undefined ? {} : { cause: withTexts(cause, change) }),
    ...(errors === undefined ? {} : { errors: errors.map((inner) => withTexts(inner, change)) }),
  };
}

/** A mask may be longer than what it hides. */
function masked(text: string): string {
  return sanitizeText(withoutSecrets(text), text.length);
}

/**
 * A stored error in printable ASCII, for a database in whose encoding its texts can't be stored: what is beyond is
 * written as JSON escapes.
 */
export function toPlainError(stored: unknown): StoredError {
  return withTexts(toStoredError(stored), (text) =>
    text.replace(
      /[^\n\x20-\x7e]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );
}
