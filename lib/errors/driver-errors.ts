import { CloacinaError } from './cloacina-error.js';
import { DatabaseRefusedError } from './database-errors.js';
import { moveRefusalOf } from './move-refusal.js';
import { TenantMovingError } from './tenant-errors.js';
import { readProperty } from './without-secrets.js';

/** The SQLSTATE of a driver's error, also if TypeORM has wrapped it; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = readProperty(error, 'code');
  // EPIPE and the like are codes of the operating system.
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code))
    return code;
  const inner = readProperty(error, 'driverError');
  return inner === undefined || inner === error ? undefined : sqlStateOf(inner);
}

/**
 * Replaces an error of the driver by a {@link DatabaseRefusedError}, because a driver's error contains a `detail` with
 * the row, the query and its parameters. If the tenant moves to another server, it is a {@link TenantMovingError}. Other
 * errors, of the library or the application, are returned unchanged.
 */
export function withoutDriver(error: unknown, tenant?: string): unknown {
  if (error instanceof CloacinaError) return error;
  const move = moveRefusalOf(error);
  if (move !== undefined)
    return new TenantMovingError({ ...move, tenant, waitedMs: 0 }, { cause: error });
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return error;
  return new DatabaseRefusedError(tenant === undefined ? { sqlState } : { tenant, sqlState }, {
    cause: error,
  });
}
