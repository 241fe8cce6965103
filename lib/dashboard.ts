/**
 * The dashboard: a module that serves a page and its HTTP API, and the types of that API.
 *
 * @packageDocumentation
 */
export { CloacinaDashboardModule } from './dashboard/dashboard.module.js';
export type { CloacinaDashboardOptions, TenantNames } from './dashboard/dashboard-options.js';
export type * from './dashboard/http-types.js';
