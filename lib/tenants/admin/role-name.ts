import { createHash } from 'node:crypto';
import { InvalidArgumentError } from '../../errors/index.js';
import { validateSchemaName } from '../../options/schema-name.js';

/** Names with a special meaning in some statement where PostgreSQL expects a role. */
const RESERVED = /^(public|none|current_user|current_role|session_user|user)$/i;

/**
 * Checks the name of a tenant's role by the rules for schemas: 1 to 63 letters, digits and underscores. Statements quote
 * valid names nevertheless.
 *
 * @throws InvalidArgumentError
 */
export function assertRoleName(name: unknown): asserts name is string {
  const problem =
    typeof name === 'string' && RESERVED.test(name)
      ? 'is reserved by PostgreSQL'
      : validateSchemaName(name);
  if (problem === undefined) return;
  throw new InvalidArgumentError(
    'username',
    `${typeof name === 'string' ? JSON.stringify(name) : typeof name} ${problem}; use 1 to 63 letters, digits and ` +
      'underscores, with a letter or underscore first',
  );
}

/** Characters of the schema's name in the name of its isolation role, so that the whole name fits into 63. */
const READABLE = 37;
const HASH_LENGTH = 16;

/**
 * Name of the NOLOGIN role under which user code of a tenant runs with `isolation: 'role'`. Roles belong to the whole
 * server, so the name depends on the database too. It contains a hash, because database and schema together may exceed
 * the length of a name.
 */
export function isolationRoleName(database: string, schema: string): string {
  const hash = createHash('sha256')
    .update(`${database}\0${schema}`)
    .digest('hex')
    .slice(0, HASH_LENGTH);
  return `cloacina_${schema.slice(0, READABLE)}_${hash}`;
}

/** An SQL expression for {@link isolationRoleName} in the current database; `schema` is an SQL expression. */
export function isolationRoleNameSql(schema: string): string {
  const hashed = `convert_to(current_database(), 'UTF8') || '\\x00'::bytea || convert_to(${schema}, 'UTF8')`;
  return `'cloacina_' || left(${schema}, ${READABLE}) || '_' || left(encode(sha256(${hashed}), 'hex'), ${HASH_LENGTH})`;
}
