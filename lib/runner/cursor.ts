import { InvalidArgumentError } from '../errors/index.js';

/** A place in a list ordered by time and id. Times repeat, so the id breaks ties; it orders nothing by itself. */
export interface ListPosition {
  readonly createdAtMicros: string;
  readonly id: string;
}

const FORM = /^(\d{1,19})\.([0-9a-f-]{36})$/;

export function encodeCursor({ createdAtMicros, id }: ListPosition): string {
  return Buffer.from(`${createdAtMicros}.${id}`).toString('base64url');
}

/** @throws InvalidArgumentError for what is no cursor of a list */
export function decodeCursor(cursor: string): ListPosition {
  const [, createdAtMicros, id] = FORM.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (createdAtMicros === undefined || id === undefined) {
    throw new InvalidArgumentError('cursor', 'must be the nextCursor of an earlier page');
  }
  return { createdAtMicros, id };
}
