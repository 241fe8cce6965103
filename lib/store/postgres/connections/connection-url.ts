import { parse } from 'pg-connection-string';

/** The parts of a database URL, as the driver parses it. Missing parts are absent. */
export interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: unknown;
  /** The query parameters, including those of TLS. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** TLS parameters of a URL. The driver reads the files that they name when it parses the URL. */
const OF_TLS = /([?&])(?:ssl|sslmode|sslcert|sslkey|sslrootcert|uselibpqcompat)=[^&]*/gi;

const FORM = 'must be a URL such as postgres://user:password@host:5432/database';

/**
 * Checks a database URL. Returns the problem as a clause that does not contain the URL, or undefined for a valid one.
 */
export function urlProblem(text: unknown): string | undefined {
  if (typeof text !== 'string') return FORM;
  if (text.trim() === '') return `is empty; it ${FORM}`;
  if (!/^(?:postgres(?:ql)?:\/\/|socket:\/)/i.test(text)) {
    return 'must begin with postgres:// or postgresql://, or with socket: for a Unix socket';
  }
  if (namesSeveralHosts(text)) {
    return (
      'names several hosts, but the driver connects to only one. Name the host, address or proxy that leads to the ' +
      'primary, and that follows a failover'
    );
  }
  if (hasAtBehindHost(text)) {
    return (
      'has an @ behind its host (it is not shown here). Perhaps its password contains a /, ? or #: encode the ' +
      'characters of its password with encodeURIComponent(), and an @ in the name of its database as %40'
    );
  }
  try {
    const url = new URL(text.replace(/@\//, '@socket/'));
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
    const { port } = takePlaceApart(text);
    if (port === undefined || (Number.isInteger(port) && port > 0 && port < 65_536))
      return undefined;
    return 'has a port that is not a number from 1 to 65535';
  } catch {
    return 'is not a valid URL (it is not shown here); encode the characters of its password with encodeURIComponent()';
  }
}

/**
 * Parses a URL. The driver gets the parts and never the URL, because a URL would win over all other settings, including
 * password functions and the library's own settings.
 */
export function takeUrlApart(text: string): UrlParts {
  const { host, port, user, password, database, ssl, ...parameters } = parse(text);
  const parts: Record<string, unknown> = {
    host: given(host),
    port: given(port) === undefined ? undefined : Number(port),
    user: given(user),
    password: given(password),
    database: given(database),
    ssl,
  };
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined) Reflect.deleteProperty(parts, name);
  }
  return { ...parts, parameters };
}

/** Parses a URL without reading the files that its TLS parameters name. */
export function takePlaceApart(text: string): UrlParts {
  return takeUrlApart(text.replace(OF_TLS, '$1'));
}

/** Detects `postgres://a:1,b:2/db` and `?host=a,b`, which libpq supports and pg doesn't. */
function namesSeveralHosts(text: string): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) return true;
  return new URLSearchParams(text.slice(queryStart(text))).getAll('host').join().includes(',');
}

/**
 * `postgres://app:/secret@db/shop`, which the driver reads as the host `app` and the database `secret@db/shop`. Messages and
 * logs show those.
 */
function hasAtBehindHost(text: string): boolean {
  const behindHost = /^postgres(?:ql)?:\/\/[^/?#]*(.*)$/is.exec(text)?.[1] ?? '';
  const start = queryStart(behindHost);
  // The values of parameters may have one: `?user=app@server`.
  return behindHost.slice(0, start).includes('@') || /^\?[^=]*@/.test(behindHost.slice(start));
}

function queryStart(text: string): number {
  const at = text.indexOf('?');
  return at === -1 ? text.length : at;
}

function given(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
