import { MAX_KEEP_LAST, MIN_RETENTION_MS, type RetentionPeriods } from '../workflow/retention.js';
import { checkOptions, duration, formatValue, wholeNumber, type Checks } from './option-checks.js';

/** Checks of the periods that the retention of a tenant and that of a workflow have. */
export const PERIOD_CHECKS: Checks<RetentionPeriods> = {
  completed: duration(MIN_RETENTION_MS),
  failed: duration(MIN_RETENTION_MS),
  cancelled: duration(MIN_RETENTION_MS),
  keepLast: wholeNumber(0, MAX_KEEP_LAST),
};

/** The problems of a `retention`. Each is a sentence that begins with `owner`. */
export function checkRetention<O>(owner: string, retention: unknown, checks: Checks<O>): string[] {
  if (retention === undefined || retention === false) return [];
  if (typeof retention !== 'object' || retention === null || Array.isArray(retention)) {
    return [
      `${owner}: retention must be an object such as { completed: '30d' }, or false, not ${formatValue(retention)}.`,
    ];
  }
  return checkOptions(`${owner}, retention`, retention, checks);
}
