export { CloacinaStatistics } from './cloacina-statistics.js';
export type * from './statistics-types.js';
