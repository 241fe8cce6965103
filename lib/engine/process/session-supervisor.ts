import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import { reconnectDelayMs } from '../../runtime/reconnect-delay.js';
import type { ControlSession } from '../../store/port/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** Lifetime after which a session counts as stable, in milliseconds. After its loss the reconnect delay starts anew. */
const STABLE_MS = 5_000;
/** Outage after which the log says why reconnecting fails, in milliseconds. */
const REPORT_AFTER_MS = 2_000;
/** Interval of that log line, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

export interface SessionSupervisorOptions<S extends ControlSession> {
  readonly clock: Clock;
  /** Opens a session. `onLost` is called once if the session ends by itself. */
  readonly open: (onLost: (error: Error | undefined) => void) => Promise<S>;
  readonly onLive: (session: S) => void;
  readonly onLost: () => void;
}

/**
 * Keeps the control session open: opens it, notices its end, and opens the next one. Without a session the process
 * claims nothing, because other processes may take it for dead. Running tasks continue and are recorded.
 *
 * States: open, opening, waiting to reopen, stopped.
 */
export class SessionSupervisor<S extends ControlSession> {
  private readonly logger = new Logger('Cloacina');
  private current: S | undefined;
  private stopped = false;
  private timer: Timer | undefined;
  private openedAt = 0;
  private lostAt = 0;
  /** Earliest time of the next log line about the outage. */
  private reportAt = 0;
  /** Number of attempts to open a session. Only the latest attempt counts. */
  private openings = 0;
  /** Number of reopenings since the last stable session. */
  private failures = 0;

  constructor(private readonly options: SessionSupervisorOptions<S>) {}

  get session(): S | undefined {
    return this.current;
  }

  /**
   * Opens the first session, or the first after a stop. Rejects if that fails, so that the boot fails with the error.
   */
  async start(): Promise<void> {
    this.stopped = false;
    this.timer?.cancel();
    await this.open();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    const session = this.current;
    this.current = undefined;
    await session?.close();
  }

  private async open(): Promise<void> {
    const opening = ++this.openings;
    let lost = false;
    let opened = false;
    const session = await this.options.open((error) => {
      lost = true;
      // A loss before `opened` is handled below. If both places reopened, one session would never be closed.
      if (opened && this.current === session) this.lose(error);
    });
    if (this.stopped || lost || opening !== this.openings) {
      await session.close();
      if (lost && !this.stopped && opening === this.openings) this.reopen();
      return;
    }
    opened = true;
    this.current = session;
    this.openedAt = this.options.clock.now();
    this.options.onLive(session);
  }

  private lose(error: Error | undefined): void {
    if (this.stopped) return;
    if (this.current !== undefined) {
      this.current = undefined;
      this.lostAt = this.options.clock.now();
      this.reportAt = this.lostAt + REPORT_AFTER_MS;
      if (this.lostAt - this.openedAt > STABLE_MS) this.failures = 0;
      const why = error === undefined ? 'it was closed' : toStoredError(error).message;
      this.logger.warn(
        `The control connection was lost (${why}). Nothing is claimed until it is back.`,
      );
      this.options.onLost();
    }
    this.reopen();
  }

  private reopen(): void {
    this.timer?.cancel();
    this.timer = this.options.clock.timer(
      () => {
        this.open().then(
          () => {
            if (this.current !== undefined) this.logger.log('The control connection is back.');
          },
          (error: unknown) => {
            if (this.stopped) return;
            this.report(error);
            this.reopen();
          },
        );
      },
      reconnectDelayMs(this.failures++, this.options.clock),
    );
  }

  /** Logs a failed attempt, but not during a short outage, such as a restart of the server. */
  private report(error: unknown): void {
    const now = this.options.clock.now();
    if (now < this.reportAt) return;
    this.reportAt = now + REPORT_EVERY_MS;
    const seconds = Math.round((now - this.lostAt) / 1_000);
    this.logger.warn(
      `The control connection has been away for ${seconds} s, and nothing is claimed until it is back. The last attempt to ` +
        `open it failed: ${toStoredError(error).message}`,
    );
  }
}
