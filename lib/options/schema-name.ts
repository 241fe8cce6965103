import { SchemaNameError } from '../errors/index.js';

/** PostgreSQL's limit on identifiers, in bytes; longer ones it would cut silently, so that two become one. */
const MAX_BYTES = 63;
const ALLOWED = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * What is wrong with a name for a tenant's schema, as a clause that follows the name (`starts with a digit`);
 * undefined for a good one. Only ASCII letters, digits and underscores are allowed, so characters are bytes.
 */
export function validateSchemaName(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.length > MAX_BYTES) return `has more than ${MAX_BYTES} characters`;
  if (/^[0-9]/.test(name)) return 'starts with a digit';
  if (!ALLOWED.test(name)) return 'has characters other than letters, digits and underscores';
  // Quoted, "PG_x" is a name of its own to PostgreSQL; but one slip in quoting would make it a system schema.
  if (/^pg_/i.test(name)) return 'starts with "pg_", which PostgreSQL keeps for itself';
  if (/^information_schema$/i.test(name)) return "is PostgreSQL's own";
  return undefined;
}

/**
 * @throws SchemaNameError for a name that {@link validateSchemaName} refuses
 */
export function assertSchemaName(name: string): void {
  const problem = validateSchemaName(name);
  if (problem !== undefined) throw new SchemaNameError(name, problem);
}
