import { MemoryRole } from './memory-role.js';
import type {
  EventStartResult,
  EventStartStore,
  EventSubscription,
  PendingEventStart,
} from '../../../store/port/index.js';
import { settleStarts, storeStarts, takeStarts } from '../memory-event-starts.js';
import type { MemorySignal } from '../memory-signals.js';

/** Starts of executions by events, in memory. */
export class MemoryEventStartStore extends MemoryRole implements EventStartStore {
  startFor(eventIds: readonly string[]): Promise<readonly string[]> {
    const ids = new Set(eventIds);
    return this.run((tables) => {
      const isMeant = ({ id, executionId, delivered }: MemorySignal): boolean =>
        ids.has(String(id)) && executionId === null && delivered;
      return storeStarts(tables, tables.signals.filter(isMeant));
    });
  }

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
