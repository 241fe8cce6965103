import {
  DatabaseConnectionError,
  readProperty,
  type ConnectionObstacle,
  type DatabasePlace,
} from '../../../errors/index.js';
import { messageOf, SqlState, sqlState } from '../sql-state.js';

/**
 * What the driver says without a code when the server has no TLS. Another answer, which it calls an error, may be that of
 * a server that is still starting.
 */
const TLS_MESSAGES = /^The server does not support SSL/;

/** Node's codes of certificates and of TLS. */
const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|EPROTO$)/;

/** The driver refuses a login by itself: no password where one is asked for, a server that proves not to know it. */
const LOGIN_MESSAGES = /^SASL: /;

/** What stands in the way of a connection; undefined for any other failure, also of a server that is away. */
function connectionObstacle(error: unknown): ConnectionObstacle | undefined {
  const message = messageOf(error);
  if (TLS_MESSAGES.test(message)) return 'tls';
  if (LOGIN_MESSAGES.test(message)) return 'login';
  const code = sqlState(error);
  if (code === undefined) return undefined;
  if (TLS_CODES.test(code)) return 'tls';
  if (code.startsWith('28')) return 'login';
  if (code.startsWith('3D')) return 'database';
  // Of a statement it is an ERROR.
  const endsSession = readProperty(error, 'severity') === 'FATAL';
  return endsSession && code === SqlState.insufficientPrivilege ? 'privilege' : undefined;
}

/** The failure as the error that says where the connection was to lead; undefined when it is of another kind. */
export function asConnectionError(
  error: unknown,
  place: DatabasePlace,
  tenant?: string,
): DatabaseConnectionError | undefined {
  const obstacle = connectionObstacle(error);
  return obstacle && new DatabaseConnectionError({ tenant, place, obstacle }, { cause: error });
}
