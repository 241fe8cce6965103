import type { Clock } from './clock.js';

/** How long something fails before the log tells of it, in milliseconds. */
const REPORT_AFTER_MS = 5_000;
/** Interval of the log lines while it goes on failing, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

/**
 * Says when the log tells of a failure that is repeated until it passes: a short one needs no word, and one that lasts must not
 * wait in silence.
 */
export class LastingFailure {
  private since: number | undefined;
  private reportAt = 0;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** Call after each failure. Returns for how many seconds it has failed if the log is to tell of it, undefined otherwise. */
  failed(): number | undefined {
    const now = this.clock.now();
    if (this.since === undefined) {
      this.since = now;
      this.reportAt = now + REPORT_AFTER_MS;
    }
    if (now < this.reportAt) return undefined;
    this.reportAt = now + REPORT_EVERY_MS;
    return Math.round((now - this.since) / 1_000);
  }

  /** Call after a success. */
  passed(): void {
    this.since = undefined;
  }
}
