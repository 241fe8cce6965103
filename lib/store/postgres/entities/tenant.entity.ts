import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** Whether the tenant lives in its schema, as read through TypeORM. */
export interface TenantRow {
  id: number;
  state: string;
  moveId: string | null;
  peer: string | null;
  deadline: Date | null;
  changedAt: Date;
}

export const TenantEntity = new EntitySchema<TenantRow>({
  name: 'CloacinaTenant',
  tableName: 'cloacina_tenant',
  synchronize: false,
  columns: {
    id: { name: 'id', type: 'integer', primary: true, default: 1 },
    state: { name: 'state', type: 'text', default: 'live' },
    moveId: { name: 'move_id', type: 'uuid', nullable: true },
    peer: { name: 'peer', type: 'text', nullable: true },
    deadline: { name: 'deadline', type: 'timestamptz', nullable: true },
    changedAt: { name: 'changed_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
