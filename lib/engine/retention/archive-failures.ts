import { Logger } from '@nestjs/common';
import { toStoredError, type StoredError } from '../../errors/index.js';
import type { RetentionTurn } from '../../store/port/index.js';
import type { ArchiveReadError } from './archiver.js';
import { archivePauseMs, readPauseMs } from './retention-times.js';

/** A failure, to be noted in the row of the turn, and when the lap is to be repeated. */
interface NotedFailure {
  readonly failure: StoredError;
  readonly pauseMs: number;
}

/** Reports the failures of a tenant's archive, and knows which of them this process has seen. */
export class ArchiveFailures {
  private readonly logger = new Logger('Cloacina');
  /** Number of failures in a row, as this process has last read or noted it. */
  private seen = 0;

  constructor(private readonly tenant: string) {}

  /** Whether another process has noted failures: a fresh lap may not come to the executions that it has left. */
  isNews({ failures }: RetentionTurn): boolean {
    return failures > this.seen;
  }

  /** The archive has thrown, so the lap has ended. */
  refused(cause: unknown, { failures: before }: RetentionTurn): NotedFailure {
    const failures = (this.seen = before + 1);
    const failure = toStoredError(cause);
    const pauseMs = archivePauseMs(failures);
    this.logger.error(
      `Tenant "${this.tenant}": the archive has failed (${failures} in a row), so no execution is deleted: ${failure.name}: ` +
        `${failure.message}. It is tried again in ${pauseMs / 60_000} min; see runner.retentionState().`,
    );
    return { failure, pauseMs };
  }

  /**
   * A lap has ended.
   *
   * @param unreadable - why trees were kept that could not be read
   * @returns null if all is well after failures, undefined if there is nothing to note
   */
  lapEnded(
    unreadable: readonly ArchiveReadError[],
    { failures: before }: RetentionTurn,
    isFull: boolean,
  ): NotedFailure | null | undefined {
    const [first] = unreadable;
    if (first !== undefined) {
      this.seen = before + 1;
      this.logger.error(
        `Tenant "${this.tenant}": ${unreadable.length} ended executions are kept with their trees, because they could not be ` +
          `read for the archive. The others are deleted; see runner.retentionState(). ${first.message}`,
      );
      return { failure: toStoredError(first), pauseMs: readPauseMs(this.seen) };
    }
    // A fresh lap does not come to what was kept before.
    this.seen = isFull ? 0 : before;
    return isFull && before > 0 ? null : undefined;
  }
}
