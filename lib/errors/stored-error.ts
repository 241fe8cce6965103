import { describeError, type StoredError } from '../workflow/describe-error.js';
import { sanitizeText } from '../workflow/text.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** Max characters of a message that was joined from the messages of several errors. */
const MAX_LENGTH = 10_000;

/** Stored if describing the thrown value fails. */
const LAST_RESORT: StoredError = {
  name: 'NonError',
  message: 'What was thrown cannot be described.',
};

/**
 * Converts any thrown value into a form that can always be stored: bounded in size, without secrets, and without text
 * that PostgreSQL refuses. It never throws. Only the properties of a {@link StoredError} are copied, which leaves out
 * the `detail`, the query and the parameters of a driver's error.
 */
export function toStoredError(thrown: unknown): StoredError {
  try {
    return describe(thrown);
  } catch {
    // Without a stored failure, the task would stay Running.
    return { ...LAST_RESORT };
  }
}

function describe(thrown: unknown): StoredError {
  const described = describeError(thrown);
  // The message of Node's AggregateError, such as that of a refused connection, is empty: its errors have the messages.
  const message = described.message === '' ? messageWithoutSecrets(thrown) : described.message;
  return withTexts({ ...described, message: sanitizeText(message, MAX_LENGTH) }, masked);
}

/** Copies an error, and changes its texts and those of the errors within it. */
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

/** Cuts the masked text to its former length, because a mask may be longer than the secret. */
function masked(text: string): string {
  return sanitizeText(withoutSecrets(text), text.length);
}

/**
 * A stored error in printable ASCII, with other characters as JSON escapes. For a database whose encoding cannot store
 * the texts of the error.
 */
export function toPlainError(stored: unknown): StoredError {
  return withTexts(toStoredError(stored), toPlainText);
}

/** A text in printable ASCII, with other characters as JSON escapes. */
export function toPlainText(text: string): string {
  return text.replace(
    /[^\n\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
