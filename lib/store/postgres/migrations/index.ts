import type { MigrationInterface } from 'typeorm';
import { CreateCloacinaTables1735689600000 } from './1735689600000-create-cloacina-tables.js';

/** A migration with the name under which the history stores it. Unlike class names, it survives minifiers. */
export interface CloacinaMigration extends MigrationInterface {
  readonly name: string;
}

/** The library's migrations, oldest first. A released migration never changes; later changes are new migrations. */
export const cloacinaMigrations: readonly (new () => CloacinaMigration)[] = [
  CreateCloacinaTables1735689600000,
];

/**
 * Whether versions of the library that don't know the migration can work on a schema that has it. During a deploy two
 * versions run side by side. The name tells, because the history is all that an older version can read of a migration.
 *
 * `Expand…` is for migrations that only add: tables, indexes that are not unique, columns that are nullable or have a
 * default. If an older version omits such a column, the value must mean what was true before, so the older version still
 * reads and writes correctly. A migration that removes something or changes its meaning follows one version later under
 * another name, when the versions that depend on it are gone.
 */
export function isExpansion(name: string): boolean {
  return /^Expand[A-Z]/.test(name);
}

/** TypeORM's history table of the library, in the tenant's schema. */
export const CLOACINA_MIGRATIONS_TABLE = 'cloacina_migrations';

/** TypeORM's history table of the application's own migrations, in the tenant's schema: TypeORM's default name. */
export const APPLICATION_MIGRATIONS_TABLE = 'migrations';
