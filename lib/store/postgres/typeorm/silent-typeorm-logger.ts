import type { Logger } from 'typeorm';

const say = (): void => undefined;

/**
 * For the data source that runs the library's own migrations. TypeORM's loggers print a failed migration to the
 * console whatever they are told, and it would be told twice: who called gets the error.
 */
export const silentTypeOrmLogger: Logger = {
  logQuery: say,
  logQueryError: say,
  logQuerySlow: say,
  logSchemaBuild: say,
  logMigration: say,
  log: say,
};
