import { createHash } from 'node:crypto';
import { InvalidArgumentError } from '../../errors/index.js';
import { validateSchemaName } from '../../options/schema-name.js';

/** Words that stand for something else where PostgreSQL expects a role, in some place or other. */
const RESERVED = /^(public|none|current_user|current_role|session_user|user)$/i;

/**
 * Refuses a name for a tenant's role by the rules for schemas: 1 to 63 letters, digits and underscores. What passes
 * is quoted all the same.
 *
 * @throws InvalidArgumentError
 */
export function assertRoleName(name: unknown): asserts name is string {
  const problem =
    typeof name === 'string' && RESERVED.test(name)
      ? 'is a word that PostgreSQL keeps for itself'
      : validateSchemaName(name);
  if (problem === undefined) return;
  throw new InvalidArgumentError(
    'username',
    `${typeof name === 'string' ? JSON.stringify(name) : typeof name} ${problem}; use 1 to 63 letters, digits and ` +
      'underscores, with a letter or underscore first',
  );
}

/** Characters of the schema in the name of its isolation role, so that all fit into 63. */
const READABLE = 37;
const HASH_LENGTH = 16;

/**
 * The NOLOGIN role under which user code of a tenant runs with `isolation: 'role'`. Roles belong to the whole server,
 * so the database is in the name; a hash, for the two together may be longer than a name can be.
 */
export function isolationRoleName(database: string, schema: string): string {
  const hash = createHash('sha256')
    .update(`${database}\0${schema}`)
    .digest('hex')
    .slice(0, HASH_LENGTH);
  return `cloacina_${schema.slice(0, READABLE)}_${hash}`;
}

/** The same, where the database computes it; `schema` is an expression of SQL. */
export function isolationRoleNameSql(schema: string): string {
  const hashed = `convert_to(current_database(), 'UTF8') || '\\x00'::bytea || convert_to(${schema}, 'UTF8')`;
  return `'cloacina_' || left(${schema}, ${READABLE}) || '_' || left(encode(sha256(${hashed}), 'hex'), ${HASH_LENGTH})`;
}
