import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** What a process serves in the tenant's schema, as read through TypeORM. */
export interface ProcessRow {
  processId: string;
  name: string;
  lockSession: string | null;
  state: string;
  slots: number;
  definitionFormat: number;
  definitions: string[];
  limits: object;
  since: Date;
  seenAt: Date;
}

export const ProcessEntity = new EntitySchema<ProcessRow>({
  name: 'CloacinaProcess',
  tableName: 'cloacina_process',
  synchronize: false,
  columns: {
    processId: { name: 'process_id', type: 'uuid', primary: true },
    name: { name: 'name', type: 'text' },
    lockSession: { name: 'lock_session', type: 'text', nullable: true },
    state: { name: 'state', type: 'text' },
    slots: { name: 'slots', type: 'integer' },
    definitionFormat: { name: 'definition_format', type: 'integer' },
    definitions: { name: 'definitions', type: 'bigint', array: true },
    limits: { name: 'limits', type: 'json' },
    since: { name: 'since', type: 'timestamptz', default: () => SERVER_CLOCK.now },
    seenAt: { name: 'seen_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
