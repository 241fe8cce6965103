import { PostgresRole } from './postgres-role.js';
import { settledValues, settleEventStarts } from '../statements/settle-event-starts.js';
import { takenValues, takeEventStarts } from '../statements/take-event-starts.js';
import type {
  EventStartResult,
  EventStartStore,
  EventSubscription,
  PendingEventStart,
} from '../../port/index.js';

/** Starts of executions by events, on PostgreSQL. */
export class PostgresEventStartStore extends PostgresRole implements EventStartStore {
  take(
    subscriptions: readonly EventSubscription[],
    limit: number,
    leaseMs: number,
  ): Promise<PendingEventStart[]> {
    return this.db.cold.run(takeEventStarts, takenValues(subscriptions, limit, leaseMs));
  }

  async settle(results: readonly EventStartResult[]): Promise<void> {
    await this.db.cold.run(settleEventStarts, settledValues(results));
  }
}
