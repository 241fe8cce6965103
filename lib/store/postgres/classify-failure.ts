import {
  isError,
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
 * By class or code, the longest one that fits: what is wrong with the server or the way to it, not with the statement.
 * `false`: it was certainly not executed.
 */
const UNAVAILABLE: ReadonlyMap<string, boolean> = new Map([
  ['08', true], // connection exception
  ['08001', false], // it could not be made
  ['08004', false], // it was rejected
  ['25006', false], // a standby, or a server that was made read-only
  ['25P03', true], // idle in transaction
  ['25P04', true], // transaction timeout
  ['26', false], // a prepared statement that is not there: another server behind a pooler
  ['28', false], // the login is refused: its password is being changed, maybe
  ['3D', false], // no such database
  ['40003', true], // the server doesn't know either
  ['53', false], // out of memory, disk, connections
  ['57P', true], // going down, crashed, starting, the database dropped
  ['57P03', false], // cannot connect now
  ['58', false], // the system below the server: an I/O error
  ['XX', true], // an internal error, corrupted data
]);

/** SQLSTATE classes that blame what was sent: cardinality, data, constraints, too large for an index or a statement. */
const DATA_CLASSES = new Set(['21', '22', '23', '54']);

/** SQLSTATE classes of missing objects and rights. */
const REFUSAL_CLASSES = new Set(['3F', '42']);

/** The driver has no code for these. */
const DRIVER_MESSAGES =
  /^(Connection terminated|Client was closed|Client has encountered a connection error|Query read timeout|Query runner already released|timeout (expired|exceeded)|Cannot use a pool after calling end|Called end on pool|Received unexpected|The server does not support SSL|There was an error establishing an SSL|SASL: |Another session holds the lock)/;

/** System errors with which a connection was not made at all. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EAI_AGAIN',
]);

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['conflict', 'connection', 'passing']);

/** The one classification of what can go wrong with a statement. */
export function classifyFailure(error: unknown): Failure {
  const { kind, mayBeWritten } = classify(error);
  return {
    kind,
    mayBeWritten,
    retryable: RETRYABLE.has(kind),
    isLockTimeout: kind === 'conflict' && sqlState(error) === SqlState.lockNotAvailable,
  };
}

type Classified = Pick<Failure, 'kind' | 'mayBeWritten'>;

function classify(error: unknown): Classified {
  // Anything can be thrown, also what throws when it is asked what it is.
  if (!isError(error)) return { kind: 'bug', mayBeWritten: false };
  const refused =
    error instanceof TablesMissingError ||
    error instanceof PermissionError ||
    error instanceof UnreadableDefinitionError;
  if (refused) return { kind: 'refused', mayBeWritten: false };
  if (error instanceof OverdueTransactionError) return { kind: 'connection', mayBeWritten: true };
  const code = sqlState(error);
  if (code === undefined) return withoutCode(error);
  // The system's and Node's codes are words: ECONNRESET, ERR_TLS_CERT_ALTNAME_INVALID, CERT_HAS_EXPIRED.
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

/** A batch that makes a string longer than there can be is blamed on what is in it. */
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
 * Whether the database is away: not reached, lost, starting, going down, full, or taking no writes for now. Not when it
 * is there and says what is wrong with the login, the database, its disk.
 */
export function isAway(error: unknown): boolean {
  if (failureKind(error) !== 'connection') return false;
  const code = sqlState(error);
  return code === undefined
    ? !messageOf(error).startsWith('SASL: ')
    : !/^(25P|26|28|3D|40|53[^3]|58|XX)/.test(code);
}

/** SQLSTATE codes and classes of what is wrong with the data, or with what other transactions do at the moment. */
const STATEMENT_ONLY = /^(?:22...|23...|P0...|40001|40P01|55P03)$/;

/** Whether the session is as it was before the statement that failed so, which stood in no transaction. */
export function leavesSession(error: unknown): boolean {
  return STATEMENT_ONLY.test(sqlState(error) ?? '');
}
