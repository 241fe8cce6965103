import { ROUTES, type QueryParameter, type Route } from './routes.js';
import { SCHEMAS } from './schemas.js';

/** An OpenAPI document, as far as its users here read it. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: object;
  readonly servers: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const INFO = {
  title: 'The dashboard of nestjs-cloacina',
  version: '1',
  description:
    'What the page of the dashboard reads and does. All calls are behind the guards of the module, and concern the tenants that ' +
    'the user may see: for others, the answer is that for a tenant that does not exist. An action needs the header ' +
    'x-cloacina-action and a JSON body.',
};

const PROBLEMS: Readonly<Record<string, string>> = {
  400: 'An argument is not valid.',
  403: 'The guards refuse the user, or the dashboard is read-only.',
  404: 'The user sees no such tenant, execution, schedule or value.',
  409: 'The state of the execution does not allow the action.',
  415: 'The body of an action is not JSON.',
  503: 'The database is not reachable, or the process has too many reads or streams under way.',
};
const OF_READS = ['400', '403', '404', '503'];

const problem = reference('Problem');

/**
 * Describes the HTTP API (OpenAPI 3.1).
 *
 * @param base - the path of the page without a slash at its end
 */
export function openApiDocument(base = '/cloacina'): OpenApiDocument {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: base === '' ? '/' : base }],
    paths,
    components: { schemas: SCHEMAS },
  };
}

function operationOf(route: Route): object {
  const isAction = route.method === 'post';
  const statuses = isAction ? Object.keys(PROBLEMS) : OF_READS;
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...(route.query ?? []).map((one) => queryOf(one)),
      ...(isAction ? [ACTION_HEADER] : []),
    ],
    ...(isAction
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: bodyOf(route) } },
          },
        }
      : {}),
    responses: {
      200: successOf(route),
      ...Object.fromEntries(
        statuses.map((status) => [
          status,
          {
            description: PROBLEMS[status],
            content: { 'application/problem+json': { schema: problem } },
          },
        ]),
      ),
    },
  };
}

const ACTION_HEADER = {
  name: 'x-cloacina-action',
  in: 'header',
  required: true,
  description: 'A form of another site can not send it.',
  schema: { const: '1' },
};

function bodyOf({ body }: Route): object {
  return body === undefined ? { type: 'object' } : reference(body);
}

function queryOf({ name, description, schema }: QueryParameter): object {
  return { name, in: 'query', description, schema };
}

function successOf({ summary, response, events }: Route): object {
  if (events === undefined) {
    const schema = response === undefined ? { type: 'object' } : reference(response);
    return { description: summary, content: { 'application/json': { schema } } };
  }
  // OpenAPI 3.1 has no schemas for the events of a stream, so they are named in an extension.
  const names = Object.entries(events).map(([event, schema]) => [event, reference(schema)]);
  return {
    description: `Server-sent events: ${Object.keys(events).join(', ')}, and ping.`,
    content: {
      'text/event-stream': {
        schema: { type: 'string' },
        'x-events': Object.fromEntries(names),
      },
    },
  };
}

function reference(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** Such as `getTenantsExecutionsHistory` and `postSchedulesRun`. */
function operationId({ method, path }: Route): string {
  const words = path
    .replace('/api/tenants/{tenant}/', '/tenant/')
    .replace('/api/', '/')
    .split('/')
    .filter((part) => part !== '' && !part.startsWith('{'))
    .flatMap((part) => part.split('.'));
  const isOne = path.endsWith('}') ? ['one'] : [];
  return [method, ...words, ...isOne]
    .map((word, i) => (i === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('');
}
