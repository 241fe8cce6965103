import { Logger } from '@nestjs/common';
import { messageWithoutSecrets, TenantMovingError } from '../../errors/index.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { TenantRow } from './move-state.js';

/** Interval of the looks while a move stops the tenant, in milliseconds. Notifications usually come first. */
const LOOK_MS = 500;
/** Added to the deadline of a stop before this process undoes it, in milliseconds: the mover does so itself first. */
const AFTER_DEADLINE_MS = 250;

export interface MoveFollowerParts {
  readonly clock: Clock;
  readonly tenant: string;
  /** Maximum wait of a call, in milliseconds: the tenant's `startTimeout`. */
  readonly timeoutMs: number;
  /** Reads the tenant's row on the server that this process uses for it. Undefined if it is not there. */
  readonly read: () => Promise<TenantRow | undefined>;
  /** Stops the tenant's work in this process, or lets it go on. */
  readonly stop: () => void;
  readonly goOn: () => Promise<void>;
  /** Undoes a stop whose mover is gone and whose deadline has passed. */
  readonly undo: (row: TenantRow) => Promise<unknown>;
  /**
   * Has the process serve the tenant on the server on which it lives. False if it does so already. Throws while that server
   * can't be reached, and if it is not one of the servers of this process.
   */
  readonly follow: (row: TenantRow | undefined) => Promise<boolean>;
}

/**
 * Follows the moves of one tenant in one process.
 *
 * States: settled (the tenant is served) → stopped (a move is in its last phase: nothing is claimed, calls go on as far as the
 * schema accepts them) → leaving (the tenant lives on another server, to which the process changes: calls wait) → settled.
 *
 * A look reads the tenant's row. Notifications, refused statements and new sessions cause looks, and so does a timer while the
 * state is not settled.
 */
export class MoveFollower {
  private readonly logger = new Logger('CloacinaTenants');
  private state: 'settled' | 'stopped' | 'leaving' = 'settled';
  private peer = '';
  private failure: unknown;
  private looking: Promise<void> | undefined;
  private again = false;
  private closed = false;
  private timer: Timer | undefined;
  private readonly waiting = new Set<AbortController>();

  constructor(private readonly parts: MoveFollowerParts) {}

  /** Whether a move stops the tenant's work here. */
  get isMoving(): boolean {
    return this.state !== 'settled';
  }

  /** The other server of the move, if a move stops the tenant's work here. */
  get movesTo(): string | undefined {
    return this.isMoving ? this.peer : undefined;
  }

  /** Whether calls have to wait, because the tenant lives where this process does not serve it yet. */
  get isLeaving(): boolean {
    return this.state === 'leaving';
  }

  /** Looks where the tenant is. Never rejects. A call during a look makes it look once more. */
  look(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.again = this.looking !== undefined;
    this.looking ??= this.lookUntilQuiet().finally(() => {
      this.looking = undefined;
      this.plan();
    });
    return this.looking;
  }

  /** Call with a row that was read together with those of other tenants. Stops the tenant at once if it moves. */
  saw(row: TenantRow): void {
    if (this.closed || row.state === 'live' || row.state === 'copying') return;
    this.peer = row.peer ?? '';
    this.enter(row.state === 'stopping' ? 'stopped' : 'leaving');
    void this.look();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.wake();
  }

  /**
   * Waits until the process serves the tenant on its new server, at most `startTimeout`.
   *
   * @throws TenantMovingError
   */
  async wait(closed: AbortSignal): Promise<void> {
    if (this.state !== 'leaving') return;
    const { clock, tenant, timeoutMs } = this.parts;
    const began = clock.now();
    const over = new AbortController();
    this.waiting.add(over);
    try {
      await clock.sleep(timeoutMs, AbortSignal.any([over.signal, closed]));
    } finally {
      this.waiting.delete(over);
    }
    if (closed.aborted || !this.isLeaving) return;
    const waitedMs = clock.now() - began;
    const { failure: cause, peer } = this;
    throw new TenantMovingError({ tenant, peer, state: 'moved', waitedMs }, { cause });
  }

  private async lookUntilQuiet(): Promise<void> {
    do {
      this.again = false;
      try {
        await this.lookOnce();
      } catch (error) {
        this.failed(error);
      }
    } while (this.again && !this.closed);
  }

  private async lookOnce(): Promise<void> {
    const row = await this.parts.read();
    if (this.closed) return;
    if (row?.state === 'live' || row?.state === 'copying') return this.settle();
    if (row === undefined) {
      // The source of an ended move may be dropped. Otherwise the schema is, which recovery reports.
      if (await this.parts.follow(undefined)) this.again = true;
      return;
    }
    this.peer = row.peer ?? '';
    if (row.state === 'stopping') return this.stopped(row);
    this.enter('leaving');
    if (await this.parts.follow(row)) this.again = true;
  }

  private async stopped(row: TenantRow): Promise<void> {
    this.enter('stopped');
    if (row.deadlineInMs === null || row.deadlineInMs > -AFTER_DEADLINE_MS) return;
    await this.parts.undo(row);
    // The row says how the move has ended: undone by this call or another one, or completed.
    const after = await this.parts.read();
    if (after?.state === 'live' || after?.state === 'copying') {
      this.logger.warn(
        `Tenant "${this.parts.tenant}": its move to server "${this.peer}" was interrupted, and is undone.`,
      );
      await this.settle();
    } else if (after?.state === 'moved') this.again = true;
  }

  private enter(state: 'stopped' | 'leaving'): void {
    if (this.state === 'settled') {
      this.logger.log(`Tenant "${this.parts.tenant}": it moves to server "${this.peer}".`);
    }
    this.state = state;
    this.parts.stop();
  }

  private async settle(): Promise<void> {
    if (this.state !== 'settled') await this.parts.goOn();
    this.failure = undefined;
    this.state = 'settled';
    this.wake();
  }

  private failed(error: unknown): void {
    // While the tenant is settled, others report a server that is away.
    if (this.closed || this.state !== 'leaving') return;
    const message = messageWithoutSecrets(error);
    if (this.failure === undefined || messageWithoutSecrets(this.failure) !== message) {
      this.logger.error(
        `Tenant "${this.parts.tenant}" has moved to server "${this.peer}", and can't be served there; it is tried again: ${message}`,
      );
    }
    this.failure = error;
  }

  private plan(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.closed || this.state === 'settled') return;
    this.timer = this.parts.clock.timer(
      () => void this.look(),
      LOOK_MS * (0.75 + this.parts.clock.random() / 2),
    );
  }

  private wake(): void {
    for (const over of this.waiting) over.abort();
  }
}
