import { SchemaNameError } from '../errors/index.js';
import { validateSchemaName } from '../options/schema-name.js';

export { validateSchemaName };

/**
 * @throws SchemaNameError for a name that {@link validateSchemaName} refuses
 */
export function assertSchemaName(name: string): void {
  const problem = validateSchemaName(name);
  if (problem !== undefined) throw new SchemaNameError(name, problem);
}

/**
 * The identifier, quoted for SQL, whatever is in it. This keeps SQL whole; whether a schema may have the name is
 * {@link validateSchemaName}'s question.
 *
 * @throws SchemaNameError for what no identifier can hold: an empty name, or one with a NUL
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) {
    throw new SchemaNameError(name, 'cannot be an identifier of PostgreSQL');
  }
  return `"${name.replaceAll('"', '""')}"`;
}
