import { type ArgumentsHost, Catch, type ExceptionFilter, HttpStatus } from '@nestjs/common';
import { CloacinaError, type CloacinaErrorCode } from 'nestjs-cloacina';
import type { Response } from 'express';

const STATUS: Partial<Record<CloacinaErrorCode, HttpStatus>> = {
  INVALID_ARGUMENT: HttpStatus.BAD_REQUEST,
  INVALID_CONTEXT: HttpStatus.BAD_REQUEST,
  NOT_ALLOWED: HttpStatus.FORBIDDEN,
  UNKNOWN_TENANT: HttpStatus.NOT_FOUND,
  UNKNOWN_EXECUTION: HttpStatus.NOT_FOUND,
  INVALID_TRANSITION: HttpStatus.CONFLICT,
  TENANT_REMOVED: HttpStatus.GONE,
  DATABASE_UNAVAILABLE: HttpStatus.SERVICE_UNAVAILABLE,
};

/** Maps the library's errors to HTTP statuses by their codes. */
@Catch(CloacinaError)
export class CloacinaErrorFilter implements ExceptionFilter<CloacinaError> {
  catch({ code, message }: CloacinaError, host: ArgumentsHost): void {
    const status = STATUS[code] ?? HttpStatus.INTERNAL_SERVER_ERROR;
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(status)
      .json({ statusCode: status, error: code, message });
  }
}
