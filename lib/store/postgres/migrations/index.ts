import type { MigrationInterface } from 'typeorm';
import { CreateCloacinaTables1735689600000 } from './1735689600000-create-cloacina-tables.js';

/** A migration, with the name under which its history knows it: it survives minifiers, which class names don't. */
export interface CloacinaMigration extends MigrationInterface {
  readonly name: string;
}

/** The library's migrations, oldest first. One that was released is never changed: what follows is a new one. */
export const cloacinaMigrations: readonly (new () => CloacinaMigration)[] = [
  CreateCloacinaTables1735689600000,
];

/**
 * Whether versions of the library that don't know the migration may work on a schema that has it: of these a deploy has
 * two versions side by side. Its name says so, since the history is all that an older version has of it.
 *
 * `Expand…` is for what only adds: tables, indexes that are not unique, columns that may be null or have a default and
 * that mean, when they were left out, what was so before. What an older version writes and reads goes on to be right.
 * Whatever takes something away or changes its meaning comes a version later, under another name, when the versions
 * that need it are gone.
 */
export function isExpansion(name: string): boolean {
  return /^Expand[A-Z]/.test(name);
}

/** TypeORM's history table of the library, in the tenant's schema. */
export const CLOACINA_MIGRATIONS_TABLE = 'cloacina_migrations';

/** TypeORM's history table of the application's own migrations, in the tenant's schema: TypeORM's default name. */
export const APPLICATION_MIGRATIONS_TABLE = 'migrations';
