import { SchemaNameError } from '../errors/index.js';

/**
 * The identifier, quoted for SQL, whatever is in it. This keeps SQL whole; whether a schema may have the name is
 * the question of `options/schema-name.ts`.
 *
 * @throws SchemaNameError for what no identifier can hold: an empty name, or one with a NUL
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) {
    throw new SchemaNameError(name, 'cannot be an identifier of PostgreSQL');
  }
  return `"${name.replaceAll('"', '""')}"`;
}
