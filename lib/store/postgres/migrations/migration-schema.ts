import pg from 'pg';
import type { QueryRunner } from 'typeorm';

/**
 * The schema that a migration works on, quoted: the `schema` of the data source that runs it.
 *
 * A migration of the library qualifies every name with it. It never counts on `search_path`, because a name that is
 * not found in the first schema of a path falls through to the next, which is `public` as often as not.
 */
export function migrationSchema(queryRunner: QueryRunner): string {
  // `connection` is `dataSource` since TypeORM 1.0, which keeps the older name as an alias; 0.3 has this one alone.
  const { options } = queryRunner.connection;
  if (options.type !== 'postgres' || options.schema === undefined || options.schema === '') {
    throw new Error(
      'A migration of nestjs-cloacina needs a postgres data source that names its schema.',
    );
  }
  return pg.escapeIdentifier(options.schema);
}
