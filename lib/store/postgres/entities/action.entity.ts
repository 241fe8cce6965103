import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** What a person did to a workflow or a schedule, as read through TypeORM. */
export interface ActionRow {
  id: string;
  kind: string;
  subject: string;
  actor: string;
  reason: string | null;
  executionId: string | null;
  callId: string;
  createdAt: Date;
}

export const ActionEntity = new EntitySchema<ActionRow>({
  name: 'CloacinaAction',
  tableName: 'cloacina_action',
  synchronize: false,
  columns: {
    id: { name: 'id', type: 'bigint', primary: true, generated: 'increment' },
    kind: { name: 'kind', type: 'text' },
    subject: { name: 'subject', type: 'text' },
    actor: { name: 'actor', type: 'text' },
    reason: { name: 'reason', type: 'text', nullable: true },
    executionId: { name: 'execution_id', type: 'uuid', nullable: true },
    callId: { name: 'call_id', type: 'uuid', unique: true },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
