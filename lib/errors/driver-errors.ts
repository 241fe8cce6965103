import { CloacinaError } from './cloacina-error.js';
import { DatabaseRefusedError } from './database-errors.js';
import { readProperty } from './without-secrets.js';

/** The SQLSTATE of an error of the driver, also under TypeORM's own; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = readProperty(error, 'code');
  // EPIPE and its like are the system's.
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code))
    return code;
  const inner = readProperty(error, 'driverError');
  return inner === undefined || inner === error ? undefined : sqlStateOf(inner);
}

/**
 * What the API throws in place of an error of the driver, which carries a `detail` with the row, the query and its
 * parameters. Any other error is returned as it is: it is the library's already, or the application's.
 */
export function withoutDriver(error: unknown, tenant?: string): unknown {
  if (error instanceof CloacinaError) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return error;
  return new DatabaseRefusedError(tenant === undefined ? { sqlState } : { tenant, sqlState }, {
    cause: error,
  });
}
