import { Logger } from '@nestjs/common';
import { toStoredError, type StoredError } from '../../errors/index.js';
import type { RetentionTurn } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { UnreadableTree } from './archiver.js';
import { archivePauseMs, readPauseMs } from './retention-times.js';

/** A failure, to be noted in the row of the turn, and when the lap is to be repeated. */
interface NotedFailure {
  readonly failure: StoredError;
  readonly pauseMs: number;
}

const NONE: ReadonlySet<string> = new Set();

/** Reports the failures of a tenant's archive, and knows which of them this process has seen. */
export class ArchiveFailures {
  private readonly logger = new Logger('Cloacina');
  /** Number of failures in a row, as this process has last read or noted it. */
  private seen = 0;

  /** The tops of the trees that could not be read, and when they are read again. */
  private readonly unread = new Set<string>();
  private readAgainAt = -Infinity;

  constructor(
    private readonly tenant: string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** The tops of the trees that a lap leaves alone now. */
  get toSkip(): ReadonlySet<string> {
    return this.clock.now() < this.readAgainAt ? new Set(this.unread) : NONE;
  }

  /** Whether another process has noted failures: a fresh lap may not come to the executions that it has left. */
  isNews({ failures }: RetentionTurn): boolean {
    return failures > this.seen;
  }

  /** In how many milliseconds trees are read again that could not be read. Infinity without such trees. */
  get readAgainInMs(): number {
    return this.unread.size === 0 ? Infinity : Math.max(0, this.readAgainAt - this.clock.now());
  }

  /**
   * The archive has thrown, or too many trees could not be read, so the lap has ended. The next one leaves alone those that could
   * not be read before: a hundred of them would end each lap.
   */
  refused(cause: unknown, { failures: before }: RetentionTurn): NotedFailure {
    const failures = (this.seen = before + 1);
    const failure = toStoredError(cause);
    const pauseMs = archivePauseMs(failures);
    this.readAgainAt = this.clock.now() + Math.max(2 * pauseMs, readPauseMs(failures));
    this.logger.error(
      `Tenant "${this.tenant}": the archive has failed (${failures} in a row), so no execution is deleted: ${failure.name}: ` +
        `${failure.message}. It is tried again in ${pauseMs / 60_000} min; see runner.retentionState().`,
    );
    return { failure, pauseMs };
  }

  /**
   * A lap has ended.
   *
   * @param skipped - what `toSkip` was when it began
   * @returns what is to be noted: null if all is well after failures, undefined for nothing
   */
  lapEnded(
    unreadable: readonly UnreadableTree[],
    skipped: ReadonlySet<string>,
    { failures: before }: RetentionTurn,
    isFull: boolean,
  ): StoredError | null | undefined {
    // It has come to all that were not read before.
    if (isFull && skipped.size === 0) this.unread.clear();
    this.seen = before;
    const [first] = unreadable;
    if (first !== undefined) {
      this.seen++;
      // Those that wait already keep their time, however often others come to them.
      if (this.unread.size === 0) this.readAgainAt = this.clock.now() + readPauseMs(this.seen);
      for (const { id } of unreadable) this.unread.add(id);
      this.logger.error(
        `Tenant "${this.tenant}": ${unreadable.length} ended executions are kept with their trees, because they could not be ` +
          `read for the archive. The others are deleted; see runner.retentionState(). ${first.error.message}`,
      );
      return toStoredError(first.error);
    }
    // A fresh lap does not come to what was kept before.
    if (!isFull || skipped.size > 0 || before === 0) return undefined;
    this.seen = 0;
    return null;
  }
}
