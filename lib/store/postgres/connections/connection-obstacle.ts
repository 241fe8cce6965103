import {
  DatabaseConnectionError,
  readProperty,
  type ConnectionObstacle,
  type DatabasePlace,
} from '../../../errors/index.js';
import { messageOf, SqlState, sqlState } from '../sql-state.js';

/**
 * The driver's message, which has no code, if the server has no TLS. The driver's other messages about TLS may come from a
 * server that is still starting.
 */
const TLS_MESSAGES = /^The server does not support SSL/;

/** Node's codes for errors of certificates and of TLS. */
const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|EPROTO$)/;

/**
 * The driver's messages when it fails a login by itself: a missing password, or a server that can't prove its identity.
 */
const LOGIN_MESSAGES = /^SASL: /;

/** The lasting obstacle to a connection. Undefined for any other failure, including an unreachable server. */
function connectionObstacle(error: unknown): ConnectionObstacle | undefined {
  const message = messageOf(error);
  if (TLS_MESSAGES.test(message)) return 'tls';
  if (LOGIN_MESSAGES.test(message)) return 'login';
  const code = sqlState(error);
  if (code === undefined) return undefined;
  if (TLS_CODES.test(code)) return 'tls';
  // A statement that fails has these codes too, such as one that names another database.
  if (readProperty(error, 'severity') === 'ERROR') return undefined;
  if (code.startsWith('28')) return 'login';
  if (code.startsWith('3D')) return 'database';
  const endsSession = readProperty(error, 'severity') === 'FATAL';
  return endsSession && code === SqlState.insufficientPrivilege ? 'privilege' : undefined;
}

/** The failure as an error that names the database of the connection. Undefined for failures without an obstacle. */
export function asConnectionError(
  error: unknown,
  place: DatabasePlace,
  tenant?: string,
): DatabaseConnectionError | undefined {
  const obstacle = connectionObstacle(error);
  return obstacle && new DatabaseConnectionError({ tenant, place, obstacle }, { cause: error });
}
