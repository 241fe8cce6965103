export type { BackfillOptions } from './backfill-options.js';
export type { FiringFilter, ScheduleReports, StatsFilter } from './schedule-reports.js';
export type { ScheduleStats } from './schedule-stats.js';
