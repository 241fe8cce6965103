/** A parameter of the query: its schema, and what it means. */
export interface QueryParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: object;
}

/** An operation of the HTTP API. */
export interface Route {
  readonly method: 'get' | 'post';
  /** Below the path of the page, as OpenAPI writes it. */
  readonly path: string;
  readonly summary: string;
  readonly tag: 'Actions' | 'Executions' | 'Overview' | 'Tenant';
  readonly query?: readonly QueryParameter[];
  /** The name of the schema of the body. Absent for `{}`. */
  readonly body?: string;
  /** The name of the schema of the response with status 200. Absent: this document. */
  readonly response?: string;
  /** The schemas of the events by name, for a stream of server-sent events. */
  readonly events?: Readonly<Record<string, string>>;
}

const text = { type: 'string' };
const time = { type: 'string', format: 'date-time' };
const flag = { type: 'boolean' };

function parameter(name: string, description: string, schema: object = text): QueryParameter {
  return { name, description, schema };
}

function whole(max: number, description: string, fallback: number, name = 'limit'): QueryParameter {
  return parameter(name, description, {
    type: 'integer',
    minimum: 1,
    maximum: max,
    default: fallback,
  });
}

const limit = whole(200, 'The length of the page.', 50);
const workflow = parameter('workflow', 'Only of this workflow.');
const tenants = parameter('tenant', 'Only of these tenants; may be repeated. Default: all.', {
  type: 'array',
  items: text,
});
const statuses = {
  type: 'array',
  items: {
    type: 'string',
    enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
  },
};

const TENANT = '/api/tenants/{tenant}';
const EXECUTION = `${TENANT}/executions/{id}`;
const SCHEDULE = `${TENANT}/schedules/{schedule}`;

const OVERVIEW: readonly Omit<Route, 'method' | 'tag'>[] = [
  { path: '/api/session', summary: 'What this user may do.', response: 'Session' },
  {
    path: '/api/overview',
    summary: 'All tenants that the user may see, added up.',
    response: 'Overview',
  },
  {
    path: '/api/tenants',
    summary: 'Tenants by name.',
    query: [
      parameter('search', 'A part of the name.'),
      limit,
      parameter('after', 'The nextCursor of the page before.'),
      parameter('cursor', 'The same as after.'),
    ],
    response: 'TenantsResponse',
  },
  { path: TENANT, summary: 'A tenant.', response: 'TenantOverview' },
  {
    path: '/api/series',
    summary: 'Executions over time.',
    query: [
      parameter('range', 'The last hour or the last day.', {
        type: 'string',
        enum: ['hour', 'day'],
        default: 'hour',
      }),
      tenants,
      workflow,
    ],
    response: 'Series',
  },
  {
    path: '/api/failures',
    summary: 'Failed executions by their cause.',
    query: [tenants, workflow],
    response: 'FailuresResponse',
  },
  { path: '/api/processes', summary: 'The living processes.', response: 'ProcessesResponse' },
  { path: '/api/openapi.json', summary: 'This document.' },
  {
    path: '/api/events',
    summary: 'Overviews whenever they change, and what changes.',
    events: { overview: 'Overview', changed: 'ChangedEvent' },
  },
];

const EXECUTIONS: readonly Omit<Route, 'method' | 'tag'>[] = [
  {
    path: `${TENANT}/executions`,
    summary: 'Executions, the latest first.',
    query: [
      workflow,
      parameter('status', 'May be repeated.', statuses),
      parameter('tag', 'As name:value; may be repeated, and all of them have to match.', {
        type: 'array',
        items: text,
      }),
      parameter('createdAfter', 'Only those that were created after this time.', time),
      parameter('createdBefore', 'Only those that were created before this time.', time),
      parameter('idempotencyKey', 'Only the one with this key.'),
      parameter('waitingFor', 'Only those that wait for this signal or event.'),
      parameter('parent', 'Only the children of this execution.'),
      parameter('root', 'Only those in the tree under this execution.'),
      limit,
      parameter('cursor', 'The nextCursor of the page before.'),
    ],
    response: 'ExecutionsResponse',
  },
  { path: EXECUTION, summary: 'One execution.', response: 'ExecutionResponse' },
  { path: `${EXECUTION}/history`, summary: 'Its timeline.', response: 'HistoryResponse' },
  { path: `${EXECUTION}/explain`, summary: 'Why it has not ended.', response: 'ExplainResponse' },
  { path: `${EXECUTION}/tree`, summary: 'The executions under it.', response: 'TreeResponse' },
  {
    path: `${EXECUTION}/values/{value}`,
    summary: 'A whole value of its context.',
    response: 'ValueResponse',
  },
  {
    path: `${EXECUTION}/items/{task}`,
    summary: 'The items of a map.',
    query: [
      parameter('status', 'Only items with this status.'),
      whole(200, 'The length of the page.', 100),
      parameter('after', 'The nextCursor of the page before.'),
    ],
    response: 'ItemsResponse',
  },
  {
    path: `${EXECUTION}/events`,
    summary: 'The execution whenever it changes, until it ends.',
    events: { execution: 'ExecutionEvent' },
  },
];

const OF_TENANT: readonly Omit<Route, 'method' | 'tag'>[] = [
  {
    path: `${TENANT}/workflows`,
    summary: 'Workflows, and what still runs.',
    response: 'WorkflowsResponse',
  },
  {
    path: `${TENANT}/workflows/{workflow}/versions`,
    summary: 'The definitions of a workflow, that which was registered last first.',
    response: 'VersionsResponse',
  },
  {
    path: `${TENANT}/schedules`,
    summary: 'Schedules by name.',
    query: [
      workflow,
      parameter('state', 'Only schedules in this state.', {
        type: 'string',
        enum: ['active', 'paused', 'ended', 'broken'],
      }),
      limit,
      parameter('after', 'The nextCursor of the page before.'),
    ],
    response: 'SchedulesResponse',
  },
  { path: SCHEDULE, summary: 'One schedule.', response: 'ScheduleRow' },
  {
    path: `${SCHEDULE}/firings`,
    summary: 'What came of its firings, the latest first.',
    query: [parameter('before', 'Only those for times before this one.', time), limit],
    response: 'FiringsResponse',
  },
  {
    path: `${SCHEDULE}/preview`,
    summary: 'Its next times.',
    query: [whole(100, 'How many.', 10, 'count')],
    response: 'PreviewResponse',
  },
  {
    path: `${TENANT}/limits`,
    summary: 'Limits and admissions by key.',
    query: [
      parameter('name', 'Only the keys of this limit.'),
      parameter('full', 'Only those that are full, or only those that are not.', flag),
      limit,
      parameter('cursor', 'The nextCursor of the page before.'),
    ],
    response: 'LimitsResponse',
  },
  {
    path: `${TENANT}/actions`,
    summary: 'Who has changed workflows and schedules, the latest first.',
    query: [
      parameter('subject', 'Only those on the workflow or schedule of this name.'),
      parameter('actor', 'Only those of this user.'),
      limit,
      parameter('before', 'The nextCursor of the page before.'),
    ],
    response: 'ActionsResponse',
  },
];

const ACTIONS: readonly Omit<Route, 'method' | 'tag' | 'response'>[] = [
  { path: `${EXECUTION}/cancel`, summary: 'Cancels an execution.', body: 'ReasonBody' },
  { path: `${EXECUTION}/pause`, summary: 'Pauses an execution.', body: 'ReasonBody' },
  { path: `${EXECUTION}/resume`, summary: 'Continues a Paused execution.', body: 'ReasonBody' },
  { path: `${EXECUTION}/retry`, summary: 'Retries an ended execution.', body: 'RetryBody' },
  { path: `${EXECUTION}/signal`, summary: 'Sends a signal to an execution.', body: 'SignalBody' },
  { path: `${TENANT}/bulk`, summary: 'Changes executions by a filter.', body: 'BulkBody' },
  {
    path: `${TENANT}/failures/{group}/retry`,
    summary: 'Retries a group of failures.',
    body: 'RetryGroupBody',
  },
  { path: `${SCHEDULE}/run`, summary: 'Starts an execution of a schedule now.' },
  { path: `${SCHEDULE}/pause`, summary: 'Pauses a schedule.', body: 'ScheduleBody' },
  { path: `${SCHEDULE}/resume`, summary: 'Continues a schedule.', body: 'ScheduleBody' },
  {
    path: `${SCHEDULE}/backfill`,
    summary: 'Starts the executions of times that are past.',
    body: 'BackfillBody',
  },
  {
    path: `${TENANT}/workflows/{workflow}/pause`,
    summary: 'Pauses a workflow.',
    body: 'ReasonBody',
  },
  { path: `${TENANT}/workflows/{workflow}/resume`, summary: 'Continues a workflow.' },
];

/** All operations. A test compares them with the controllers. */
export const ROUTES: readonly Route[] = [
  ...OVERVIEW.map((route) => ({ ...route, method: 'get', tag: 'Overview' }) as const),
  ...EXECUTIONS.map((route) => ({ ...route, method: 'get', tag: 'Executions' }) as const),
  ...OF_TENANT.map((route) => ({ ...route, method: 'get', tag: 'Tenant' }) as const),
  ...ACTIONS.map(
    (route) => ({ ...route, method: 'post', tag: 'Actions', response: 'ActionResponse' }) as const,
  ),
];
