import { InvalidArgumentError } from '../errors/index.js';

/** A place in a list ordered by time and id. Times repeat, so the id breaks ties; it orders nothing by itself. */
export interface ListPosition {
  readonly createdAtMicros: string;
  readonly id: string;
}

// Microseconds up to some year 5000: PostgreSQL would refuse numbers that are much longer.
const FORM = /^(\d{1,17})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export function encodeCursor({ createdAtMicros, id }: ListPosition): string {
  return Buffer.from(`${createdAtMicros}.${id}`).toString('base64url');
}

/** @throws InvalidArgumentError for what is no cursor of a list */
export function decodeCursor(cursor: string): ListPosition {
  const text = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  const [, createdAtMicros, id] = FORM.exec(text) ?? [];
  if (createdAtMicros === undefined || id === undefined) {
    throw new InvalidArgumentError('cursor', 'must be the nextCursor of an earlier page');
  }
  return { createdAtMicros, id };
}
