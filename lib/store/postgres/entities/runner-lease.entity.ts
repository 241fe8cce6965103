import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** The lease of a process with claims in the tenant's schema, as read through TypeORM. */
export interface RunnerLeaseRow {
  instanceId: string;
  processId: string;
  name: string | null;
  lockEpoch: string | null;
  lockSession: string | null;
  login: string;
  expiresAt: Date;
  createdAt: Date;
}

export const RunnerLeaseEntity = new EntitySchema<RunnerLeaseRow>({
  name: 'CloacinaRunnerLease',
  tableName: 'cloacina_runner_lease',
  synchronize: false,
  columns: {
    instanceId: { name: 'instance_id', type: 'uuid', primary: true },
    processId: { name: 'process_id', type: 'uuid' },
    name: { name: 'name', type: 'text', nullable: true },
    lockEpoch: { name: 'lock_epoch', type: 'text', nullable: true },
    lockSession: { name: 'lock_session', type: 'text', nullable: true },
    login: { name: 'login', type: 'text', default: () => 'SESSION_USER' },
    expiresAt: { name: 'expires_at', type: 'timestamptz' },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.transaction },
  },
});
