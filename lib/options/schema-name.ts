import { SchemaNameError } from '../errors/index.js';

/** PostgreSQL's limit on identifiers, in bytes. It truncates longer ones silently, so two names could become one. */
const MAX_BYTES = 63;
const ALLOWED = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Checks the name of a tenant's schema. Returns the problem as a clause that follows the name (`starts with a digit`), or
 * undefined for a valid name. Only ASCII letters, digits and underscores are allowed, so each character is one byte.
 */
export function validateSchemaName(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.length > MAX_BYTES) return `has more than ${MAX_BYTES} characters`;
  if (/^[0-9]/.test(name)) return 'starts with a digit';
  if (!ALLOWED.test(name)) return 'has characters other than letters, digits and underscores';
  // A quoted "PG_x" is an ordinary name in PostgreSQL, but without the quotes it would become a system schema.
  if (/^pg_/i.test(name)) return 'starts with "pg_", which PostgreSQL keeps for itself';
  if (/^information_schema$/i.test(name)) return 'is reserved by PostgreSQL';
  return undefined;
}

/**
 * Throws unless {@link validateSchemaName} accepts the name.
 *
 * @throws SchemaNameError with the problem
 */
export function assertSchemaName(name: string): void {
  const problem = validateSchemaName(name);
  if (problem !== undefined) throw new SchemaNameError(name, problem);
}
