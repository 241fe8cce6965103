import { MemoryRole } from './memory-role.js';
import { startDebounced } from '../memory-debounces.js';
import type { DebouncedStart, DebounceReply, DebounceStore } from '../../../store/port/index.js';

/** Starts executions that wait for further starts with the same key, in memory. */
export class MemoryDebounceStore extends MemoryRole implements DebounceStore {
  start(starts: readonly DebouncedStart[]): Promise<DebounceReply> {
    return this.run((tables) => startDebounced(tables, starts));
  }
}
