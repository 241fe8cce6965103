import { openApiDocument } from '../../../lib/dashboard/openapi/document.js';
import { problemsOf } from '../../support/json-schema.js';

const { paths, components } = openApiDocument();
const templates = Object.keys(paths).map((path) => ({
  path,
  // Parameters are one segment each. The longest template that matches is the one of the route.
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, MediaType>> } | undefined>
  >;
}
interface MediaType {
  readonly schema: object;
  readonly 'x-events'?: Readonly<Record<string, object>>;
}

function operationOf(method: string, url: string): Operation | undefined {
  const [path = ''] = url.split('?');
  const template = templates
    .filter(({ pattern }) => pattern.test(path))
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
  return paths[template?.path ?? '']?.[method] as Operation | undefined;
}

/**
 * Compares a response with the OpenAPI document.
 *
 * @param url - below the path of the page
 * @throws Error that names what is not described
 */
export function assertDescribed(method: 'get' | 'post', url: string, answer: Answered): void {
  if (!url.startsWith('/api/')) return;
  const { status, body, type } = answer;
  const operation = operationOf(method, url);
  // Of paths that are no route.
  if (operation === undefined && status === 404) return;
  const media = operation?.responses[status]?.content[type];
  if (media === undefined) throw new Error(`${method} ${url}: ${status} ${type} is not described.`);
  assertNone(`${method} ${url}: ${status}`, problemsOf(body, media.schema, components.schemas));
}

/** Compares an event of a stream with the OpenAPI document. */
export function assertEventDescribed(url: string, type: string, data: unknown): void {
  if (type === 'ping') return;
  const media = operationOf('get', url)?.responses['200']?.content['text/event-stream'];
  const schema = media?.['x-events']?.[type];
  if (schema === undefined) throw new Error(`get ${url}: the event ${type} is not described.`);
  assertNone(`get ${url}: event ${type}`, problemsOf(data, schema, components.schemas));
}

interface Answered {
  readonly status: number;
  /** The media type, without parameters. */
  readonly type: string;
  readonly body: unknown;
}

function assertNone(what: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`${what}: ${problems.slice(0, 5).join('; ')}`);
}
