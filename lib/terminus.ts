export { CloacinaHealthIndicator } from './tenants/health/cloacina-health-indicator.js';
