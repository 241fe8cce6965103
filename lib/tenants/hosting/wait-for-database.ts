import { Logger } from '@nestjs/common';
import { reconnectDelayMs } from '../../runtime/reconnect-delay.js';
import {
  CloacinaError,
  DatabaseUnavailableError,
  describePlace,
  toStoredError,
  withoutDriver,
  type DatabasePlace,
} from '../../errors/index.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { asConnectionError } from '../../store/postgres/connections/connection-obstacle.js';
import { ReadOnlyLogin } from '../../store/postgres/read-only.js';
import type { Clock } from '../../runtime/clock.js';

export interface WaitForDatabaseOptions {
  readonly clock: Clock;
  /** The tenant's name, for messages. */
  readonly tenant?: string;
  /** The server and database, for messages. */
  readonly place: DatabasePlace;
  /** How long to wait for a database that doesn't answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait. The last failure is thrown then. */
  readonly signal: AbortSignal;
  /** Whether to log the wait. Called before each warning. */
  readonly mayWarn: () => boolean;
}

/**
 * Runs `work`, and repeats it while the database cannot be reached, such as a server that is still starting. A refused
 * connection ends the wait at once.
 *
 * @throws DatabaseUnavailableError if the database could not be reached for `timeoutMs`
 * @throws DatabaseConnectionError if the server refused the connection
 */
export async function waitForDatabase<T>(
  { clock, tenant, place, timeoutMs, signal, mayWarn }: WaitForDatabaseOptions,
  work: () => Promise<T>,
): Promise<T> {
  const began = clock.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      // If `work` threw a DatabaseUnavailableError itself, its cause explains more.
      const cause = error instanceof DatabaseUnavailableError ? (error.cause ?? error) : error;
      const waitedMs = Math.round(clock.now() - began);
      if (error instanceof ReadOnlyLogin) throw error.asPermissionError();
      const refused = asConnectionError(cause, place, tenant);
      if (refused !== undefined && isWorthExplaining(error)) throw refused;
      if (signal.aborted || !isWorthWaiting(error)) throw withoutDriver(error, tenant);
      if (waitedMs > timeoutMs) {
        throw new DatabaseUnavailableError(
          tenant === undefined ? { waitedMs, place } : { tenant, waitedMs, place },
          { cause },
        );
      }
      if (attempt === 0 && mayWarn()) {
        const waiting = tenant === undefined ? 'Waiting' : `Tenant "${tenant}": waiting`;
        new Logger('Cloacina').warn(
          `${waiting} for the database ${describePlace(place)}: ${toStoredError(cause).message}`,
        );
      }
      await clock.sleep(reconnectDelayMs(attempt, clock), signal);
    }
  }
}

/** Errors of the library name the place of their connection already, which may differ from the place known here. */
function isWorthExplaining(error: unknown): boolean {
  return !(error instanceof CloacinaError) || error instanceof DatabaseUnavailableError;
}

/** Of the library's own errors, only DatabaseUnavailableError says that another attempt may succeed. */
function isWorthWaiting(error: unknown): boolean {
  return error instanceof CloacinaError ? error instanceof DatabaseUnavailableError : isAway(error);
}
