import type { Logger } from 'typeorm';

const ignore = (): void => undefined;

/**
 * A logger for the data source that runs the library's own migrations. TypeORM's loggers print a failed migration to the
 * console in any case, although the caller gets the error already.
 */
export const silentTypeOrmLogger: Logger = {
  logQuery: ignore,
  logQueryError: ignore,
  logQuerySlow: ignore,
  logSchemaBuild: ignore,
  logMigration: ignore,
  log: ignore,
};
