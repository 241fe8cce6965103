import { isError, readProperty, TENANT_MOVES } from '../../errors/index.js';

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
  /** A statement timeout, or cancelled by an administrator. */
  queryCancelled: '57014',
  /** The library's own: the schema refuses writes, because its tenant moves to another server or has moved. */
  tenantMoves: TENANT_MOVES,
  /** The server's memory, or its lock table, is exhausted. */
  outOfMemory: '53200',
  /** The prepared statement does not exist. */
  undefinedStatement: '26000',
  /**
   * For a prepared statement: its cached plan must not change the result type. On a hot standby: the statement names an
   * unlogged table.
   */
  featureNotSupported: '0A000',
  /** Also set by the library on errors of connections that could not be made, for any reason. */
  notConnected: '08001',
} as const;

/** The SQLSTATE of a database error, also if TypeORM wraps it, or the code of a network error such as ECONNREFUSED. */
export function sqlState(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  const code = readProperty(error, 'code');
  if (typeof code === 'string') return code;
  const driverError = readProperty(error, 'driverError');
  return driverError === undefined || driverError === error ? undefined : sqlState(driverError);
}

/** The message of any value: handlers may throw errors whose `message` throws. */
export function messageOf(error: unknown): string {
  const message = readProperty(error, 'message');
  return typeof message === 'string' ? message : '';
}

/** Whether a statement of the library failed because one of the library's tables is missing. */
export function isMissingTable(error: unknown): boolean {
  return (
    isError(error) &&
    sqlState(error) === SqlState.undefinedTable &&
    messageOf(error).includes('cloacina_')
  );
}
