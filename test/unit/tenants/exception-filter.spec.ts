import { Logger, type ArgumentsHost } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { firstValueFrom, type Observable } from 'rxjs';
import {
  CloacinaError,
  InvalidArgumentError,
  TenantMovingError,
  UnknownTenantError,
  type CloacinaErrorCode,
} from '../../../lib/errors/index.js';
import { CloacinaExceptionFilter } from '../../../lib/tenants/requests/cloacina-exception.filter.js';

/** What a response of express or fastify gets. */
function answerTo(
  thrown: CloacinaError,
  headers: unknown[] = [],
): { status: number; body: unknown } {
  let status = 0;
  let body: unknown;
  const response = {
    header: (...header: string[]) => headers.push(header),
    status: (code: number) => {
      status = code;
      return { send: (sent: unknown) => (body = sent) };
    },
  };
  const host = { getType: () => 'http', switchToHttp: () => ({ getResponse: () => response }) };
  const filter = new CloacinaExceptionFilter();
  filter.catch(thrown, host as unknown as ArgumentsHost);
  return { status, body };
}

const on = (transport: string) => ({ getType: () => transport }) as unknown as ArgumentsHost;

describe('CloacinaExceptionFilter', () => {
  let logged: jest.SpiedFunction<Logger['error']>;
  beforeEach(() => {
    logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  });
  afterEach(() => logged.mockRestore());

  it('answers bad input with 400 and its sentence', () => {
    expect(answerTo(new InvalidArgumentError('limit', 'must be a number'))).toEqual({
      status: 400,
      body: {
        statusCode: 400,
        error: 'INVALID_ARGUMENT',
        message: expect.stringContaining('limit must be a number'),
      },
    });
    expect(logged).not.toHaveBeenCalled();
  });

  it("names no other tenants to whoever asks for one that isn't there", () => {
    expect(answerTo(new UnknownTenantError('acm', ['acme', 'globex']))).toEqual({
      status: 404,
      body: { statusCode: 404, error: 'UNKNOWN_TENANT', message: 'Not found' },
    });
  });

  it('says when to come back to a tenant that moves', () => {
    const headers: unknown[] = [];
    const facts = { tenant: 'acme', peer: 'us', state: 'stopping', waitedMs: 0 } as const;
    expect(answerTo(new TenantMovingError(facts), headers).status).toBe(503);
    expect(headers).toEqual([['Retry-After', '3']]);
  });

  it.each([
    ['DATABASE_UNAVAILABLE', 503, 'Service unavailable'],
    ['PERMISSION', 500, 'Internal server error'],
    ['OF_A_LATER_RELEASE', 500, 'Internal server error'],
  ])('answers %s with %i, and logs what the client is not told', (code, status, message) => {
    const error = new CloacinaError(code as CloacinaErrorCode, 'schema "a" on host "b"');
    expect(answerTo(error)).toEqual({ status, body: { statusCode: status, error: code, message } });
    expect(logged).toHaveBeenCalledWith(`${code}: schema "a" on host "b"`, expect.any(String));
  });

  it('leaves the error to other transports', async () => {
    const error = new InvalidArgumentError('limit', 'must be a number');
    const filter = new CloacinaExceptionFilter();
    expect(() => filter.catch(error, on('graphql'))).toThrow(error);
    const stream = filter.catch(error, on('rpc')) as Observable<never>;
    await expect(firstValueFrom(stream)).rejects.toBe(error);
  });
});
