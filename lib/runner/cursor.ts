import { InvalidArgumentError } from '../errors/index.js';

/** A position in a list that is sorted by time. The id breaks ties between equal times. */
export interface ListPosition {
  readonly createdAtMicros: string;
  readonly id: string;
}

// At most 17 digits of microseconds, which end after the year 5000: PostgreSQL refuses much larger times.
const FORM = /^(\d{1,17})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export function encodeCursor({ createdAtMicros, id }: ListPosition): string {
  return Buffer.from(`${createdAtMicros}.${id}`).toString('base64url');
}

/** @throws InvalidArgumentError for a cursor that `list` did not return */
export function decodeCursor(cursor: string): ListPosition {
  const text = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  const [, createdAtMicros, id] = FORM.exec(text) ?? [];
  if (createdAtMicros === undefined || id === undefined) {
    throw new InvalidArgumentError('cursor', 'must be the nextCursor of an earlier page');
  }
  return { createdAtMicros, id };
}
