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
  /** For messages. */
  readonly tenant?: string;
  /** Where the database is, for messages. */
  readonly place: DatabasePlace;
  /** How long to wait for a database that doesn't answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait: what failed last is thrown then. */
  readonly signal: AbortSignal;
  /** Whether the wait is news, and is logged. */
  readonly mayWarn: () => boolean;
}

/**
 * A database that is still starting is waited for; one that refuses is not.
 *
 * @throws DatabaseUnavailableError when it was away for that long
 * @throws DatabaseConnectionError when it refused the connection
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
      // What was tried may have said already that the database is away; then its reason is the news.
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

/** One that says where the connection was to lead has said it better: it may be of another connection. */
function isWorthExplaining(error: unknown): boolean {
  return !(error instanceof CloacinaError) || error instanceof DatabaseUnavailableError;
}

/** An error of the library has been judged already, but for one that says that the database is away. */
function isWorthWaiting(error: unknown): boolean {
  return error instanceof CloacinaError ? error instanceof DatabaseUnavailableError : isAway(error);
}
