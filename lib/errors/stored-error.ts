import { describeError, isError, readProperty, withoutSecrets } from './without-secrets.js';

/** An error as it is kept in the tenant's schema and shown by `get()`. */
export interface StoredError {
  name: string;
  message: string;
  code?: string;
  stack?: string;
}

/** Characters kept of a name or code, of a message and of a stack. Longer ones end in an ellipsis. */
export const MAX_STORED_NAME = 200;
export const MAX_STORED_MESSAGE = 8_000;
export const MAX_STORED_STACK = 16_000;

/** PostgreSQL refuses NUL and lone surrogates in text and JSON; both become U+FFFD. */
function storable(text: string, limit: number): string {
  // Cut before masking keeps the work bounded, cut after it keeps the promise on length.
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return withoutSecrets(cut)
    .slice(0, limit)
    .replaceAll('\u0000', '\uFFFD')
    .replace(/\p{Surrogate}/gu, '\uFFFD');
}

function storableProperty(error: unknown, property: string, limit: number): string | undefined {
  const value = readProperty(error, property);
  if (typeof value === 'string') return value === '' ? undefined : storable(value, limit);
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

/**
 * Whatever a handler threw, in a form that can always be stored: never throws, bounded in size, without secrets, and
 * with nothing that PostgreSQL would refuse. Only the name, message, code and stack are taken, so a driver's
 * `detail`, its query and parameters stay behind.
 */
export function toStoredError(thrown: unknown): StoredError {
  const name = storableProperty(thrown, 'name', MAX_STORED_NAME);
  const message = storable(describeError(thrown), MAX_STORED_MESSAGE);
  const code = storableProperty(thrown, 'code', MAX_STORED_NAME);
  const stack = storableProperty(thrown, 'stack', MAX_STORED_STACK);
  return {
    name: name ?? (isError(thrown) ? 'Error' : 'NonError'),
    message,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
  };
}
