/**
 * The health of the process for `@nestjs/terminus`.
 *
 * @packageDocumentation
 */
export { CloacinaHealthIndicator } from './tenants/health/cloacina-health-indicator.js';
// The types that the indicator names. Applications import `CloacinaHealth` from the main entry.
export type { CloacinaHealth } from './tenants/health/cloacina-health.js';
export type * from './tenants/health/health-report.js';
export type { Duration } from './workflow/index.js';
