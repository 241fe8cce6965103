import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A workflow that events of a name start, as read through TypeORM. */
export interface EventSubscriptionRow {
  eventName: string;
  workflow: string;
}

/** An event that has not yet started an execution, as read through TypeORM. bigint is returned as text. */
export interface EventStartRow {
  signalId: string;
  workflow: string;
  eventName: string;
  attempts: number;
  error: unknown;
  dueAt: Date;
}

export const EventSubscriptionEntity = new EntitySchema<EventSubscriptionRow>({
  name: 'CloacinaEventSubscription',
  tableName: 'cloacina_event_subscription',
  synchronize: false,
  columns: {
    eventName: { name: 'event_name', type: 'text', primary: true },
    workflow: { name: 'workflow', type: 'text', primary: true },
  },
});

export const EventStartEntity = new EntitySchema<EventStartRow>({
  name: 'CloacinaEventStart',
  tableName: 'cloacina_event_start',
  synchronize: false,
  columns: {
    signalId: { name: 'signal_id', type: 'bigint', primary: true },
    workflow: { name: 'workflow', type: 'text', primary: true },
    eventName: { name: 'event_name', type: 'text' },
    attempts: { name: 'attempts', type: 'integer', default: 0 },
    error: { name: 'error', type: 'json', nullable: true },
    dueAt: { name: 'due_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
