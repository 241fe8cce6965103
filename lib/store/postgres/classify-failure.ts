import {
  isError,
  moveRefusalOf,
  NotAllowedError,
  PermissionError,
  TablesMissingError,
  UnreadableDefinitionError,
} from '../../errors/index.js';
import type { Failure, FailureKind } from '../../runtime/failure.js';
import { messageOf, SqlState, sqlState } from './sql-state.js';
import { OverdueTransactionError } from '../port/index.js';

const CONFLICTS = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock timeout
  '57014', // statement timeout, or cancelled by an administrator
]);

/**
 * Failures of the server or of the connection, not of the statement, by SQLSTATE code, by its first three characters or by
 * its class. The longest match applies. `false`: the statement was certainly not executed.
 */
const UNAVAILABLE: ReadonlyMap<string, boolean> = new Map([
  ['08', true], // connection exception
  ['08001', false], // the connection could not be made
  ['08004', false], // the connection was rejected
  ['25006', false], // a standby, or a server that was made read-only
  ['25P03', true], // idle in transaction timeout
  ['25P04', true], // transaction timeout
  ['26', false], // the prepared statement doesn't exist: another server behind a pooler
  ['28', false], // the login is rejected, perhaps while its password is being changed
  ['3D', false], // no such database
  ['40003', true], // the server doesn't know whether the statement was completed
  ['53', false], // out of memory, disk, connections
  ['57P', true], // shutting down, crashed, starting, or the database was dropped
  ['57P03', false], // cannot connect now
  [SqlState.tenantMoves, false], // the schema refuses writes while its tenant moves to another server
  ['58', false], // the operating system reports an error, such as an I/O error
  ['XX', true], // an internal error, corrupted data
]);

/** SQLSTATE classes that blame the statement's values: cardinality, data, constraints, program limits. */
const DATA_CLASSES = new Set(['21', '22', '23', '54']);

/** SQLSTATE classes of missing objects and missing rights. */
const REFUSAL_CLASSES = new Set(['3F', '42']);

/** Messages of driver errors that have no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|Client was closed|Client has encountered a connection error|Query read timeout|Query runner already released|timeout (expired|exceeded)|Cannot use a pool after calling end|Called end on pool|Received unexpected|The server does not support SSL|There was an error establishing an SSL|SASL: |Another session holds the lock)/;

/** System errors after which no connection was made. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EAI_AGAIN',
]);

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['conflict', 'connection', 'passing']);

/** Classifies any failure of a statement. All other code relies on this classification. */
export function classifyFailure(error: unknown): Failure {
  const { kind, mayBeWritten } = classify(error);
  const move = moveRefusalOf(error);
  return {
    ...(move === undefined ? {} : { move }),
    kind,
    mayBeWritten,
    retryable: RETRYABLE.has(kind),
    isLockTimeout: kind === 'conflict' && sqlState(error) === SqlState.lockNotAvailable,
  };
}

type Classified = Pick<Failure, 'kind' | 'mayBeWritten'>;

function classify(error: unknown): Classified {
  // User code can throw anything, including objects whose properties throw.
  if (!isError(error)) return { kind: 'bug', mayBeWritten: false };
  const refused =
    error instanceof NotAllowedError ||
    error instanceof TablesMissingError ||
    error instanceof PermissionError ||
    error instanceof UnreadableDefinitionError;
  if (refused) return { kind: 'refused', mayBeWritten: false };
  if (error instanceof OverdueTransactionError) return { kind: 'connection', mayBeWritten: true };
  const code = sqlState(error);
  if (code === undefined) return withoutCode(error);
  // Codes of the system and of Node are words: ECONNRESET, ERR_TLS_CERT_ALTNAME_INVALID, CERT_HAS_EXPIRED.
  if (!/^[0-9A-Z]{5}$/.test(code) || /^E[A-Z]+$/.test(code)) {
    return { kind: 'connection', mayBeWritten: !NOT_CONNECTED.has(code) };
  }
  if (CONFLICTS.has(code)) return { kind: 'conflict', mayBeWritten: false };
  for (const prefix of [code, code.slice(0, 3), code.slice(0, 2)]) {
    const mayBeWritten = UNAVAILABLE.get(prefix);
    if (mayBeWritten !== undefined) return { kind: 'connection', mayBeWritten };
  }
  const kind = DATA_CLASSES.has(code.slice(0, 2))
    ? 'data'
    : REFUSAL_CLASSES.has(code.slice(0, 2))
      ? 'refused'
      : 'passing';
  return { kind, mayBeWritten: false };
}

/**
 * Errors without a code. A RangeError blames the data: the values of the batch exceed the maximum length of a string.
 */
function withoutCode(error: Error): Classified {
  if (DRIVER_MESSAGES.test(messageOf(error))) {
    return { kind: 'connection', mayBeWritten: true };
  }
  return { kind: error instanceof RangeError ? 'data' : 'bug', mayBeWritten: false };
}

export function failureKind(error: unknown): FailureKind {
  return classifyFailure(error).kind;
}

/**
 * Whether the database is unreachable or temporarily accepts no writes: connection lost, server starting, shutting down or
 * out of connections. False if the server reports a lasting problem of the login, the database or its disk.
 */
export function isAway(error: unknown): boolean {
  if (failureKind(error) !== 'connection') return false;
  const code = sqlState(error);
  if (code === SqlState.tenantMoves) return false;
  return code === undefined
    ? !messageOf(error).startsWith('SASL: ')
    : !/^(25P|26|28|3D|40|53[^3]|58|XX)/.test(code);
}

/** SQLSTATEs that are caused by the statement's data, by concurrent transactions, or by a trigger. */
const STATEMENT_ONLY = /^(?:22...|23...|P0...|40001|40P01|55P03|CLMOV)$/;

/** Whether a statement outside of a transaction left its session unchanged when it failed with this error. */
export function leavesSession(error: unknown): boolean {
  return STATEMENT_ONLY.test(sqlState(error) ?? '');
}
