import {
  Catch,
  HttpException,
  HttpStatus,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { CloacinaError, toStoredError } from '../errors/index.js';
import { answerOf, nameOfStatus } from '../tenants/requests/cloacina-exception.filter.js';
import type { Problem } from './http-types.js';

/** A failure of the dashboard's own, with a stable code. */
export class DashboardProblem extends HttpException {
  constructor(
    status: HttpStatus,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail, status);
  }
}

/** The same for a tenant that does not exist and one that the user may not see, so that nothing tells them apart. */
export function noSuchTenant(): DashboardProblem {
  return new DashboardProblem(HttpStatus.NOT_FOUND, 'NOT_FOUND', 'There is no such tenant.');
}

/** A tenant of which too much is read already. The page tries again. */
export function tooBusy(): DashboardProblem {
  const detail =
    'Too many requests read this tenant at the same time, so this one was refused. Try again in a few seconds.';
  return new DashboardProblem(HttpStatus.SERVICE_UNAVAILABLE, 'TOO_MANY_READS', detail);
}

/** The page polls instead. */
export function tooManyStreams(): DashboardProblem {
  const detail =
    'This process has as many open streams as the option maxStreams of the dashboard allows. Poll, or try again later.';
  return new DashboardProblem(HttpStatus.SERVICE_UNAVAILABLE, 'TOO_MANY_STREAMS', detail);
}

/** Codes that would tell that a tenant exists. */
const TENANT_CODES: ReadonlySet<string> = new Set([
  'UNKNOWN_TENANT',
  'TENANT_REMOVED',
  'NO_TENANT',
]);

/** The methods that responses of Express and Fastify share. */
interface Response {
  status(code: number): Response;
  header(name: string, value: string): Response;
  send(body: unknown): unknown;
}

/** Answers failed requests of the dashboard with problem documents (RFC 9457). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('CloacinaDashboard');

  catch(error: unknown, host: ArgumentsHost): unknown {
    const answer = this.problemOf(error);
    const response = host.switchToHttp().getResponse<Response>();
    if (answer.status === 503) response.header('retry-after', '5');
    return response
      .status(answer.status)
      .header('content-type', 'application/problem+json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(answer));
  }

  private problemOf(error: unknown): Problem {
    if (error instanceof DashboardProblem) {
      return problem(error.getStatus(), error.code, error.detail);
    }
    if (error instanceof CloacinaError) return this.ownProblem(error);
    if (error instanceof HttpException) {
      const status = error.getStatus();
      return problem(status, HttpStatus[status] ?? 'ERROR', error.message);
    }
    this.log(error);
    return problem(500, 'INTERNAL_SERVER_ERROR', 'The request failed. The log has the error.');
  }

  private ownProblem(error: CloacinaError): Problem {
    if (TENANT_CODES.has(error.code)) {
      const { code, detail } = noSuchTenant();
      return problem(404, code, detail);
    }
    const { status, isOwnMessage } = answerOf(error);
    if (Number(status) >= 500) this.log(error);
    return problem(status, error.code, isOwnMessage ? error.message : nameOfStatus(status));
  }

  private log(error: unknown): void {
    const { message, stack } = toStoredError(error);
    this.logger.error(message, ...(stack === undefined ? [] : [stack]));
  }
}

function problem(status: number, code: string, detail: string): Problem {
  return { type: 'about:blank', title: nameOfStatus(status), status, detail, code };
}
