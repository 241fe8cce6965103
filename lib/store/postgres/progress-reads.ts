import type { Clock } from '../../runtime/clock.js';
import { SqlState, sqlState } from './sql-state.js';

/** How long progress is left out after the server refused to read it, in milliseconds. It may have been promoted then. */
const STANDBY_MS = 10_000;

/**
 * Runs reads that include the progress of tasks. Its table is unlogged, and a hot standby refuses every statement that
 * names such a table. There the read runs without progress, and so do the reads of the next seconds.
 */
export class ProgressReads {
  private refusedUntil = -Infinity;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  async run<T>(read: (isReadable: boolean) => Promise<T>): Promise<T> {
    if (this.clock.now() < this.refusedUntil) return read(false);
    try {
      return await read(true);
    } catch (error) {
      if (sqlState(error) !== SqlState.featureNotSupported) throw error;
      this.refusedUntil = this.clock.now() + STANDBY_MS;
      return read(false);
    }
  }
}
