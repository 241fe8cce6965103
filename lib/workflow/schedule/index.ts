export {
  decodeSpec,
  encodeSpec,
  type CatchUp,
  type Overlap,
  type ScheduleSpec,
} from './schedule-spec.js';
export { planSchedule, type SchedulePlan } from './schedule-plan.js';
export { dueFirings, dueTime, nextInstant, nextInstants } from './firings.js';
export { SCHEDULE_KEY, scheduleInfoOf, type ScheduleInfo } from './schedule-info.js';
