import {
  Catch,
  HttpStatus,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { throwError } from 'rxjs';
import { CloacinaError, toStoredError, type CloacinaErrorCode } from '../../errors/index.js';

/** An error's status, and whether its message is for the one who sent the request. */
type Answer = readonly [status: HttpStatus, message: 'own' | 'general'];

// A record, so that the compiler misses a code that is left out. Own messages are about what the request itself said;
// others may name tenants, schemas and hosts.
const ANSWERS: Record<CloacinaErrorCode, Answer> = {
  INVALID_ARGUMENT: [HttpStatus.BAD_REQUEST, 'own'],
  INVALID_CONTEXT: [HttpStatus.BAD_REQUEST, 'own'],
  CONTEXT_TOO_LARGE: [HttpStatus.PAYLOAD_TOO_LARGE, 'own'],
  NO_TENANT: [HttpStatus.BAD_REQUEST, 'general'],
  SCHEMA_NAME: [HttpStatus.BAD_REQUEST, 'own'],
  NOT_ALLOWED: [HttpStatus.FORBIDDEN, 'own'],
  UNKNOWN_TENANT: [HttpStatus.NOT_FOUND, 'general'],
  UNKNOWN_EXECUTION: [HttpStatus.NOT_FOUND, 'own'],
  INVALID_TRANSITION: [HttpStatus.CONFLICT, 'own'],
  TENANT_EXISTS: [HttpStatus.CONFLICT, 'general'],
  TENANT_INCOMPLETE: [HttpStatus.CONFLICT, 'general'],
  WORKFLOW_CANCELLED: [HttpStatus.CONFLICT, 'own'],
  TENANT_REMOVED: [HttpStatus.GONE, 'general'],
  DATABASE_UNAVAILABLE: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  CONNECTIONS_EXHAUSTED: [HttpStatus.SERVICE_UNAVAILABLE, 'general'],
  WAIT_TIMEOUT: [HttpStatus.GATEWAY_TIMEOUT, 'own'],
  // What follows is the application's or the database's own trouble.
  CONFIGURATION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  UNKNOWN_WORKFLOW: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  WORKFLOW_FAILED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  WORKFLOW_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TASK_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DEFERRAL_TIMEOUT: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TASK_ABANDONED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  CLAIM_LOST: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DATABASE_CONNECTION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  DATABASE_REFUSED: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  MIGRATION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  TABLES_MISSING: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  UNREADABLE_DEFINITION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
  PERMISSION: [HttpStatus.INTERNAL_SERVER_ERROR, 'general'],
};

/** From another copy of the package, a code may be unknown here. */
const UNKNOWN: Answer = [HttpStatus.INTERNAL_SERVER_ERROR, 'general'];

/** What express's and fastify's responses have in common. */
interface Response {
  status(code: number): { send(body: unknown): unknown };
}

/**
 * Answers requests that end in an error of this library: `{ statusCode, error, message }`, where `error` is the stable
 * code. With express and fastify. Bad input is 400, what isn't there 404, what its state doesn't allow 409, a database
 * that is away 503, anything else 500.
 *
 * The message is the error's own where it is about the request. Otherwise it is the status' name, because the error may
 * name other tenants. What is answered with 500 and above is logged. Other transports get the error as it is.
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
    const [statusCode, message] = ANSWERS[error.code] ?? UNKNOWN;
    if (statusCode >= HttpStatus.INTERNAL_SERVER_ERROR) this.log(error);
    const text = message === 'own' ? error.message : nameOf(statusCode);
    return host
      .switchToHttp()
      .getResponse<Response>()
      .status(statusCode)
      .send({ statusCode, error: error.code, message: text });
  }

  private log(error: CloacinaError): void {
    const { message, stack } = toStoredError(error);
    this.logger.error(`${error.code}: ${message}`, ...(stack === undefined ? [] : [stack]));
  }
}

/** `Service unavailable`. */
function nameOf(status: HttpStatus): string {
  const name = HttpStatus[status].replaceAll('_', ' ').toLowerCase();
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
