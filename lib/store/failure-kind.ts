import { PermissionError, TablesMissingError } from '../errors/index.js';

/** What a failed statement says about its transaction, and so what may be done. */
export type FailureKind =
  /** Deadlock, serialization failure, lock timeout: nothing was written, send it again. */
  | 'conflict'
  /** The connection was lost or never made: it may have been written. Send it again, it is fenced. */
  | 'connection'
  /** Something in the batch can't be stored: nothing was written, find out which. */
  | 'data'
  /** A dropped table, a revoked grant, a read-only server: nothing was written, and it won't be soon. */
  | 'refused';

const CONFLICTS = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock timeout
]);

/** SQLSTATE codes with which the server is going away, was never reached, or takes no writes for now. */
const CONNECTION_CODES = new Set([
  '57P01', // admin shutdown
  '57P02', // crash shutdown
  '57P03', // cannot connect now
  '57P05', // idle session timeout
  '25P03', // idle in transaction
  '53300', // too many connections
  '25006', // a standby, or a server that was made read-only: what was sent is not at fault
]);

/** SQLSTATE classes that blame what was sent: data, constraints, too large for an index. */
const DATA_CLASSES = new Set(['21', '22', '23', '54']);

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string') return code;
  // TypeORM wraps the driver's error.
  const driverError: unknown = Reflect.get(error, 'driverError');
  return driverError === undefined || driverError === error ? '' : codeOf(driverError);
}

/** What an error of the driver says about the statement that met it. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof TablesMissingError || error instanceof PermissionError) return 'refused';
  const code = codeOf(error);
  if (CONFLICTS.has(code)) return 'conflict';
  if (CONNECTION_CODES.has(code) || code.startsWith('08')) return 'connection';
  if (/^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)) {
    return DATA_CLASSES.has(code.slice(0, 2)) ? 'data' : 'refused';
  }
  // A batch that makes a string longer than there can be is blamed on what is in it; other faults of the code are
  // nothing that sending again would mend.
  if (error instanceof RangeError) return 'data';
  if (error instanceof TypeError || error instanceof ReferenceError) return 'refused';
  // No SQLSTATE: the server did not answer. The driver's own errors (ended, timed out) and the system's (ECONNRESET)
  // are of this kind.
  return 'connection';
}
