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

/** TypeORM's history table of the library, in the tenant's schema. */
export const CLOACINA_MIGRATIONS_TABLE = 'cloacina_migrations';

/** TypeORM's history table of the application's own migrations, in the tenant's schema: TypeORM's default name. */
export const APPLICATION_MIGRATIONS_TABLE = 'migrations';
