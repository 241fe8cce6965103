import { Logger } from '@nestjs/common';
import { toStoredError, type StoredError } from '../../errors/index.js';
import type { RetentionTurn } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { ArchiveFailure, ArchiverMemory, UnreadableTree } from './archiver.js';
import { archivePauseMs, readPauseMs } from './retention-times.js';

/** Maximum number of trees that are put aside after failed calls. More than that: the archive is the cause, and not a tree. */
const MAX_ASIDE = 1_000;

/** A failure, to be noted in the row of the turn, and when the lap is to be repeated. */
interface NotedFailure {
  readonly failure: StoredError;
  readonly pauseMs: number;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Reports the failures of a tenant's archive, and knows which of them this process has seen. It remembers the trees with which
 * something failed, so that the next lap gets further than the one before:
 *
 * - A tree that could not be read is left alone until its time has come.
 * - The trees of a call that failed are put aside: the next lap leaves all of them alone. Then each is sent in a call of its own, so
 *   one that the archive does not take is found, and left alone by itself.
 */
export class ArchiveFailures implements ArchiverMemory {
  private readonly logger = new Logger('Cloacina');
  /** Number of failures in a row, as this process has last read or noted it. */
  private seen = 0;

  /** The tops of the trees that a lap leaves alone, and when it comes to them again. */
  private readonly left = new Set<string>();
  private againAt = -Infinity;
  /** The tops of the trees that the archive gets in calls of their own. */
  private readonly alone = new Set<string>();

  constructor(
    private readonly tenant: string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** The tops of the trees that a lap leaves alone now. */
  get toSkip(): ReadonlySet<string> {
    return this.clock.now() < this.againAt ? new Set(this.left) : NONE;
  }

  /** Whether another process has noted failures: a fresh lap may not come to the executions that it has left. */
  isNews({ failures }: RetentionTurn): boolean {
    return failures > this.seen;
  }

  /** In how many milliseconds trees are tried again that were left alone. Infinity without such trees. */
  get readAgainInMs(): number {
    return this.left.size === 0 ? Infinity : Math.max(0, this.againAt - this.clock.now());
  }

  isAlone(id: string): boolean {
    return this.alone.has(id);
  }

  archived(id: string): void {
    this.alone.delete(id);
    this.left.delete(id);
  }

  /**
   * The archive has thrown, or too many trees could not be read, so the lap has ended. The next one leaves alone those with which
   * something has failed: a hundred of them would end each lap.
   */
  refused(
    cause: Pick<ArchiveFailure, 'cause' | 'sent' | 'unreadable'>,
    { failures: before }: RetentionTurn,
  ): NotedFailure {
    const failures = (this.seen = before + 1);
    const failure = toStoredError(cause.cause);
    const pauseMs = archivePauseMs(failures);
    const isOfCall = cause.sent.length > 0;
    this.againAt =
      this.clock.now() + (isOfCall ? 2 * pauseMs : Math.max(2 * pauseMs, readPauseMs(failures)));
    for (const id of cause.unreadable) this.left.add(id);
    this.putAside(cause.sent);
    this.logger.error(
      `Tenant "${this.tenant}": the archive has failed (${failures} in a row), so the deletion has stopped: ${failure.name}: ` +
        `${failure.message}. It continues in ${pauseMs / 60_000} min; see runner.retentionState().`,
    );
    return { failure, pauseMs };
  }

  /** @param sent - the tops of the trees of the call that has failed */
  private putAside(sent: readonly string[]): void {
    const [only] = sent;
    if (sent.length === 1 && only !== undefined && this.alone.has(only)) {
      // The call was for this tree alone. The others that were put aside are sent, each alone, by the next lap.
      for (const id of this.alone) this.left.delete(id);
      this.left.add(only);
      return;
    }
    for (const id of sent) {
      this.alone.add(id);
      this.left.add(id);
    }
    if (this.alone.size <= MAX_ASIDE) return;
    for (const id of this.alone) this.left.delete(id);
    this.alone.clear();
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
    // It has come to all that were left alone before.
    if (isFull && skipped.size === 0) {
      this.left.clear();
      this.alone.clear();
    }
    this.seen = before;
    const [first] = unreadable;
    if (first !== undefined) {
      this.seen++;
      // Those that wait already keep their time, however often others come to them.
      if (this.left.size === 0) this.againAt = this.clock.now() + readPauseMs(this.seen);
      for (const { id } of unreadable) this.left.add(id);
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
