import { SchemaNameError } from '../errors/index.js';

/**
 * Quotes any name as an SQL identifier. Whether a schema may have that name is checked in `options/schema-name.ts`.
 *
 * @throws SchemaNameError for a name that cannot be an identifier: an empty one, or one with a NUL character
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) {
    throw new SchemaNameError(name, 'is not a valid identifier in PostgreSQL');
  }
  return `"${name.replaceAll('"', '""')}"`;
}
