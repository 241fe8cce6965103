export { CloacinaDashboardModule } from './dashboard/dashboard.module.js';
export type { CloacinaDashboardOptions, TenantNames } from './dashboard/dashboard-options.js';
export type * from './dashboard/http-types.js';
