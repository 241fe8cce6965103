import pg from 'pg';
import type { QueryRunner } from 'typeorm';

/**
 * The quoted schema that a migration works on: the `schema` of the data source that runs it.
 *
 * A migration of the library qualifies every name with it. It never relies on `search_path`, because a name that is
 * missing in the first schema of a path resolves in the next one, which is often `public`.
 */
export function migrationSchema(queryRunner: QueryRunner): string {
  // TypeORM 1.0 names it `dataSource` and keeps `connection` as an alias; 0.3 has only `connection`.
  const { options } = queryRunner.connection;
  if (options.type !== 'postgres' || options.schema === undefined || options.schema === '') {
    throw new Error(
      'A migration of nestjs-cloacina needs a postgres data source that names its schema.',
    );
  }
  return pg.escapeIdentifier(options.schema);
}
