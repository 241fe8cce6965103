import {
  Catch,
  HttpStatus,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { throwError } from 'rxjs';
import {
  CloacinaError,
  TenantMovingError,
  toStoredError,
  type CloacinaErrorCode,
} from '../../errors/index.js';

/** The HTTP status of an error, and whether the client gets the error's own message. */
type Answer = readonly [status: HttpStatus, message: 'own' | 'general'];

// A Record makes the compiler report a missing code. Clients get the own message of errors about their request; other
// messages may name tenants, schemas and hosts.
const ANSWERS: Record<CloacinaErrorCode, Answer> = {
  INVALID_ARGUMENT: [HttpStatus.BAD_REQUEST, 'own'],
  INVALID_CONTEXT: [HttpStatus.BAD_REQUEST, 'own'],
  CONTEXT_TOO_LARGE: [HttpStatus.PAYLOAD_TOO_LARGE, 'own'],
  NO_TENANT: [HttpStatus.BAD_REQUEST, 'general'],
  SCHEMA_NAME: [HttpStatus.BAD_REQUEST, 'own'],
  NOT_ALLOWED: [HttpStatus.FORBIDDEN, 'own'],
  UNKNOWN_TENANT: [HttpStatus.NOT_FOUND, 'general'],
  UNKNOWN_EXECUTION: [HttpStatus.NOT_FOUND, 'own'],
  UNKNOWN_SCHEDULE: [HttpStatus.NOT_FOUND, 'own'],
  UNKNOWN_POLLER: [HttpStatus.NOT_FOUND, 'own'],
  INVALID_TRANSITION: [HttpStatus.CONFLICT, 'own'],
  TENANT_EXISTS: [HttpStatus.CONFLICT, 'general'],
  TENANT_INCOMPLETE: [HttpStatus.CONFLICT, 'general'],
  DUPLICATE_SCHEMA: [HttpStatus.CONFLICT, 'general'],
  MOVE_NOT_POSSIBLE: [HttpStatus.CONFLICT, 'general'],
  MOVE_FAILED: [HttpStatus.CONFLICT, 'general'],
  WORKFLOW_CANCELLED: [HttpStatus.CONFLICT, 'own'],
  TENANT_REMOVED: [HttpStatus.GONE, 'general'],
  INVALID_TOKEN: [HttpStatus.FORBIDDEN, 'general'],
  TOKEN_EXPIRED: [HttpStatus.GONE, 'own'],
  DATABASE_UNAVAILABLE: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  TENANT_MOVING: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  QUEUE_FULL: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  CONNECTIONS_EXHAUSTED: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  WAIT_TIMEOUT: [HttpStatus.GATEWAY_TIMEOUT, 'own'],
  // The codes below are faults of the application or the database, not of the request.
  EXECUTION_STUCK: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  START_MANY: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CONFIGURATION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  UNKNOWN_WORKFLOW: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  WORKFLOW_FAILED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  WORKFLOW_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TASK_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DEFERRAL_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  SIGNAL_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TASK_ABANDONED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CLAIM_LOST: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CHILD_FAILED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CHILD_CANCELLED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CHILD_MISSING: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DUPLICATE_STEP: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TOO_MANY_STEPS: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  STEPS_TOO_LARGE: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  ITEMS_FAILED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TOO_MANY_ITEMS: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  INVALID_POLL: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DATABASE_CONNECTION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DATABASE_REFUSED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  MIGRATION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TABLES_MISSING: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  UNREADABLE_DEFINITION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  PERMISSION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
};

/** For codes unknown to this version, which an error from another copy of the package may have. */
const UNKNOWN: Answer = [HttpStatus.INTERNAL_SERVER_ERROR, 'general'];

/** The methods that responses of Express and Fastify share. */
interface Response {
  header(name: string, value: string): unknown;
  status(code: number): { send(body: unknown): unknown };
}

/**
 * Answers HTTP requests that fail with an error of this library: `{ statusCode, error, message }`, where `error` is the
 * stable code. Works with Express and Fastify. The status is 400 for bad input, 404 for a missing object, 409 for a
 * conflict with its state, 503 for an unreachable database, and 500 for most other errors. A TenantMovingError also sets the
 * header `Retry-After`.
 *
 * The message is the error's own if it is about the request. Otherwise it is the name of the status, because the error may
 * name other tenants. Errors with a status of 500 or above are logged. Other transports get the error itself.
 *
 * @example
 * ```ts
 * @Module({ providers: [{ provide: APP_FILTER, useClass: CloacinaExceptionFilter }] })
 * export class AppModule {}
 * // or in main.ts: app.useGlobalFilters(new CloacinaExceptionFilter());
 * ```
 */
@Catch(CloacinaError)
export class CloacinaExceptionFilter implements ExceptionFilter<CloacinaError> {
  private readonly logger = new Logger(CloacinaExceptionFilter.name);

  catch(error: CloacinaError, host: ArgumentsHost): unknown {
    const transport = host.getType<string>();
    if (transport === 'rpc') return throwError(() => error);
    if (transport !== 'http') throw error;
    const { status: statusCode, isOwnMessage } = answerOf(error);
    if (statusCode >= HttpStatus.INTERNAL_SERVER_ERROR) this.log(error);
    const text = isOwnMessage ? error.message : nameOfStatus(statusCode);
    const response = host.switchToHttp().getResponse<Response>();
    if (error instanceof TenantMovingError)
      response.header('Retry-After', String(Math.ceil(error.retryAfter / 1_000)));
    return response.status(statusCode).send({ statusCode, error: error.code, message: text });
  }

  private log(error: CloacinaError): void {
    const { message, stack } = toStoredError(error);
    this.logger.error(`${error.code}: ${message}`, ...(stack === undefined ? [] : [stack]));
  }
}

/** The HTTP status for an error, and whether the client gets its own message. */
export function answerOf(error: CloacinaError): {
  readonly status: HttpStatus;
  readonly isOwnMessage: boolean;
} {
  const [status, message] = ANSWERS[error.code] ?? UNKNOWN;
  return { status, isOwnMessage: message === 'own' };
}

/** The name of a status as text, such as `Service unavailable`. */
export function nameOfStatus(status: number): string {
  const name = (HttpStatus[status] ?? 'ERROR').replaceAll('_', ' ').toLowerCase();
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
