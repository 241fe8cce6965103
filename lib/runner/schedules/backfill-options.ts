import type { BulkOptions } from '../bulk/bulk-options.js';
import type { ActorOptions } from '../reason-options.js';

/** The times of {@link CloacinaSchedules.backfill}, and its options. */
export interface BackfillOptions extends Omit<BulkOptions, 'cap'>, ActorOptions {
  /** The first time. */
  readonly from: Date;
  /** The last time. Times that the schedule has still to fire for are left to it. */
  readonly to: Date;
  /**
   * What happens to a time while the execution of the time before still runs. `'allow'`: all executions start at once.
   * `'queue'`: they run one after the other, and take turns with those of a schedule whose `overlap` is `queue`.
   * `'skip'`: it starts nothing, and is recorded as skipped. `'cancelPrevious'`: each execution cancels the one before, which may
   * not have begun, so only the last one is sure to run. It takes the place of the schedule's own `overlap`. Default: `'allow'`,
   * because all of these times are due at the call.
   */
  readonly overlap?: 'allow' | 'cancelPrevious' | 'queue' | 'skip';
}
