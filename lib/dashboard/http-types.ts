// The HTTP API of the dashboard: what its calls take and return. Its paths are below the path of the page.
export type * from './http/actions.js';
export type * from './http/common.js';
export type * from './http/executions.js';
export type * from './http/failures.js';
export type * from './http/overview.js';
export type * from './http/tenant.js';
