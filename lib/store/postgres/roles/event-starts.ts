import { PostgresRole } from './postgres-role.js';
import { plainArray } from '../statements/encoding.js';
import { settledValues, settleEventStarts } from '../statements/settle-event-starts.js';
import { startForEvents } from '../statements/start-for-events.js';
import { takenValues, takeEventStarts } from '../statements/take-event-starts.js';
import type {
  EventStartResult,
  EventStartStore,
  EventSubscription,
  PendingEventStart,
} from '../../port/index.js';

/** Starts of executions by events, on PostgreSQL. */
export class PostgresEventStartStore extends PostgresRole implements EventStartStore {
  async startFor(eventIds: readonly string[]): Promise<readonly string[]> {
    const [started] = await this.db.cold.run(startForEvents, [plainArray(eventIds)]);
    return started?.workflows ?? [];
  }

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
