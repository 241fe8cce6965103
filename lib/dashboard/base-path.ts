import type { TenantRequest } from '../cloacina.callbacks.js';

/** The properties of requests of Express and Fastify from which the path of the page follows. */
export interface PathRequest extends TenantRequest {
  /** The URL as the client sent it. Express changes `url` in routers, so it keeps this one. */
  readonly originalUrl?: string;
  readonly url: string;
}

/** A path as a proxy sends it: never another host, and nothing that ends an attribute. */
const PREFIX = /^\/[\w.~%-][\w.~%/-]*$/;

/**
 * The path of the page as the browser sees it, with a slash at both ends. It follows from the request: the global prefix, the
 * version and the path of the module are in its URL. A reverse proxy that takes a path away says so in X-Forwarded-Prefix.
 *
 * @param depth - the number of segments of the URL behind the path of the page
 */
export function basePathOf(request: PathRequest, depth: number): string {
  const [path = '/'] = (request.originalUrl ?? request.url).split('?');
  const segments = path.split('/').filter((segment) => segment !== '');
  const own = segments.slice(0, segments.length - depth);
  const all = [...forwardedPrefix(request), ...own].map((one) => encodeURIComponent(decoded(one)));
  return all.length === 0 ? '/' : `/${all.join('/')}/`;
}

function forwardedPrefix({ headers }: PathRequest): string[] {
  const header = headers['x-forwarded-prefix'];
  const [prefix = ''] = (Array.isArray(header) ? header : [header ?? '']).join(',').split(',');
  const trimmed = prefix.trim();
  return PREFIX.test(trimmed) ? trimmed.split('/').filter((segment) => segment !== '') : [];
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
