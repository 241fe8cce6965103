import { Logger } from '@nestjs/common';
import { toStoredError } from '../errors/index.js';

const RECONNECT_DELAYS_MS = [50, 100, 250, 500, 1_000, 2_000] as const;

/** The session that proves that this process lives; see the store for what it is made of. */
export interface ControlSession {
  readonly epoch: string | null;
  close(): Promise<void>;
}

export interface LivenessOptions<S extends ControlSession> {
  /** `onLost` is called once, when the session has ended by itself. */
  readonly open: (onLost: (error: Error | undefined) => void) => Promise<S>;
  readonly onLive: (session: S) => void;
  readonly onLost: () => void;
}

/**
 * Keeps the control session open: opens it, notices its end, opens the next. While there is none, nothing is
 * claimed, because the others may take this process for dead; what runs goes on and is recorded.
 */
export class Liveness<S extends ControlSession> {
  private readonly logger = new Logger('Cloacina');
  private current: S | undefined;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: LivenessOptions<S>) {}

  get session(): S | undefined {
    return this.current;
  }

  /** Opens the first session, or the first after a stop; rejects when that fails, so that a boot can say so. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.open();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const session = this.current;
    this.current = undefined;
    await session?.close();
  }

  private async open(): Promise<void> {
    let lost = false;
    const session = await this.options.open((error) => {
      lost = true;
      this.lose(error);
    });
    if (this.stopped || lost) {
      await session.close();
      return;
    }
    this.current = session;
    this.options.onLive(session);
  }

  private lose(error: Error | undefined): void {
    if (this.stopped) return;
    if (this.current !== undefined) {
      this.current = undefined;
      const why = error === undefined ? 'it was closed' : toStoredError(error).message;
      this.logger.warn(
        `The control connection was lost (${why}). Nothing is claimed until it is back.`,
      );
      this.options.onLost();
    }
    this.reopen(0);
  }

  private reopen(attempt: number): void {
    clearTimeout(this.timer);
    const pause = RECONNECT_DELAYS_MS[Math.min(attempt, RECONNECT_DELAYS_MS.length - 1)];
    this.timer = setTimeout(() => {
      this.open().then(
        () => {
          if (this.current !== undefined) this.logger.log('The control connection is back.');
        },
        () => {
          if (!this.stopped) this.reopen(attempt + 1);
        },
      );
    }, pause);
    this.timer.unref();
  }
}
