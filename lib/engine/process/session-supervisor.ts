import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import { reconnectDelayMs } from '../../runtime/reconnect-delay.js';
import type { ControlSession } from '../../store/port/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** A session that lasted longer was a good one, in milliseconds: when it is lost, the next attempt is made at once. */
const STABLE_MS = 5_000;
/** How long the session is away before the log says why it doesn't come back, in milliseconds. */
const REPORT_AFTER_MS = 2_000;
/** The log says it again after this time, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

export interface SessionSupervisorOptions<S extends ControlSession> {
  readonly clock: Clock;
  /** `onLost` is called once, when the session has ended by itself. */
  readonly open: (onLost: (error: Error | undefined) => void) => Promise<S>;
  readonly onLive: (session: S) => void;
  readonly onLost: () => void;
}

/**
 * Keeps the control session open: opens it, notices its end, opens the next. While there is none, nothing is
 * claimed, because the others may take this process for dead; what runs goes on and is recorded.
 */
export class SessionSupervisor<S extends ControlSession> {
  private readonly logger = new Logger('Cloacina');
  private current: S | undefined;
  private stopped = false;
  private timer: Timer | undefined;
  private openedAt = 0;
  private lostAt = 0;
  /** When the log has to say next that there is no session. */
  private reportAt = 0;
  /** Attempts to open a session; only the latest one counts. */
  private openings = 0;
  /** Attempts that have failed since the last good session. */
  private failures = 0;

  constructor(private readonly options: SessionSupervisorOptions<S>) {}

  get session(): S | undefined {
    return this.current;
  }

  /** Opens the first session, or the first after a stop; rejects when that fails, so that a boot can say so. */
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
      // Before that, the caller learns of it: two that tried again would leave a session open that nothing closes.
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

  /** A server that restarts is worth no more than the word that the session was lost. */
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
