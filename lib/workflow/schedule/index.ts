export {
  decodeSpec,
  encodeSpec,
  type CatchUp,
  type Overlap,
  type ScheduleSpec,
} from './schedule-spec.js';
export { planSchedule, type SchedulePlan } from './schedule-plan.js';
export { backfillPlan, backfillStep, previousInstant } from './backfill.js';
export {
  countInstants,
  dueFirings,
  dueTime,
  lastInstant,
  nextInstant,
  nextInstants,
  type MissedFirings,
} from './firings.js';
export { SCHEDULE_KEY, scheduleInfoOf, type ScheduleInfo } from './schedule-info.js';
