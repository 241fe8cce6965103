import { MemoryRole } from './memory-role.js';
import type {
  EventStartResult,
  EventStartStore,
  EventSubscription,
  PendingEventStart,
} from '../../../store/port/index.js';
import { settleStarts, takeStarts } from '../memory-event-starts.js';

/** Starts of executions by events, in memory. */
export class MemoryEventStartStore extends MemoryRole implements EventStartStore {
  take(
    subscriptions: readonly EventSubscription[],
    limit: number,
    leaseMs: number,
  ): Promise<PendingEventStart[]> {
    return this.run((tables) => takeStarts(tables, subscriptions, limit, leaseMs));
  }

  settle(results: readonly EventStartResult[]): Promise<void> {
    return this.run((tables) => settleStarts(tables, results));
  }
}
