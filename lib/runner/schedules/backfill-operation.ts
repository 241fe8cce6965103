import type { BackfillRange } from '../../engine/schedules/backfill-runner.js';

/** A backfill, as the input of the built-in workflow. */
export interface BackfillOperation extends BackfillRange {
  readonly kind: 'backfill';
  /** The instant before the first one. */
  readonly after: number;
  /** The number of instants. */
  readonly total: number;
}
