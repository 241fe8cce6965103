import type { ActionResponse, Problem } from '../../../lib/dashboard/http-types.js';
import { base } from './router.js';

/** A refused call, in the words of the server. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: string,
    detail: string,
    readonly status: number,
  ) {
    super(detail);
  }
}

/** The path of a call below `api/tenants/`. */
export function tenantApi(tenant: string, ...segments: readonly string[]): string {
  return `api/tenants/${[tenant, ...segments].map(encodeURIComponent).join('/')}`;
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(path, signal === undefined ? {} : { signal });
}

export function post(path: string, body: object = {}): Promise<ActionResponse> {
  return call<ActionResponse>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-cloacina-action': '1' },
    body: JSON.stringify(body),
  });
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  const response = await fetch(new URL(path, base), init).catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('UNREACHABLE', 'The server does not answer. The page keeps trying.', 0);
  });
  const text = await response.text();
  if (response.ok) return (text === '' ? {} : JSON.parse(text)) as T;
  throw problemOf(text, response.status);
}

function problemOf(text: string, status: number): ApiError {
  try {
    const { code, detail } = JSON.parse(text) as Partial<Problem>;
    return new ApiError(code ?? String(status), detail ?? `The server answered ${status}.`, status);
  } catch {
    return new ApiError(String(status), `The server answered ${status}.`, status);
  }
}
