import { PostgresRole } from './postgres-role.js';
import {
  debounceExecutions,
  debounceReplyOf,
  debounceValues,
} from '../statements/debounce-executions.js';
import type { DebouncedStart, DebounceReply, DebounceStore } from '../../port/index.js';

/** Starts executions that wait for further starts with the same key, on PostgreSQL. */
export class PostgresDebounceStore extends PostgresRole implements DebounceStore {
  async start(starts: readonly DebouncedStart[]): Promise<DebounceReply> {
    const rows = await this.db.hot.run(debounceExecutions, debounceValues(starts));
    return debounceReplyOf(rows, starts);
  }
}
