import { isError, readProperty } from '../../errors/index.js';

/** SQLSTATE codes that the library acts on. */
export const SqlState = {
  serializationFailure: '40001',
  deadlock: '40P01',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  duplicateObject: '42710',
  duplicateSchema: '42P06',
  uniqueViolation: '23505',
  lockNotAvailable: '55P03',
  /** Of the server, or of its table of locks. */
  outOfMemory: '53200',
  /** A prepared statement that the server doesn't have. */
  undefinedStatement: '26000',
  /** Of a prepared statement: its cached plan must not change the result's type. */
  featureNotSupported: '0A000',
  /** Also what is said here of a connection that could not be made, whatever stood in the way. */
  notConnected: '08001',
} as const;

/** The SQLSTATE of a database error, or the code of a network error such as ECONNREFUSED; also under TypeORM's own. */
export function sqlState(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  const code = readProperty(error, 'code');
  if (typeof code === 'string') return code;
  const driverError = readProperty(error, 'driverError');
  return driverError === undefined || driverError === error ? undefined : sqlState(driverError);
}

/** The message of anything: handlers throw errors whose message throws. */
export function messageOf(error: unknown): string {
  const message = readProperty(error, 'message');
  return typeof message === 'string' ? message : '';
}

/** Whether a statement of the library didn't find one of the library's tables. */
export function isMissingTable(error: unknown): boolean {
  return (
    isError(error) &&
    sqlState(error) === SqlState.undefinedTable &&
    messageOf(error).includes('cloacina_')
  );
}
