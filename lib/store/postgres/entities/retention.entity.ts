import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** The turn and the state of retention, as read through TypeORM. */
export interface RetentionRow {
  id: number;
  holder: string | null;
  heldUntil: Date | null;
  rules: unknown;
  lapAt: Date | null;
  deleted: string;
  failures: number;
  failure: unknown;
  failedAt: Date | null;
}

export const RetentionEntity = new EntitySchema<RetentionRow>({
  name: 'CloacinaRetention',
  tableName: 'cloacina_retention',
  synchronize: false,
  columns: {
    id: { name: 'id', type: 'integer', primary: true, default: 1 },
    holder: { name: 'holder', type: 'uuid', nullable: true },
    heldUntil: { name: 'held_until', type: 'timestamptz', nullable: true },
    rules: { name: 'rules', type: 'jsonb', default: {} },
    lapAt: { name: 'lap_at', type: 'timestamptz', nullable: true },
    deleted: { name: 'deleted', type: 'bigint', default: 0 },
    failures: { name: 'failures', type: 'integer', default: 0 },
    failure: { name: 'failure', type: 'json', nullable: true },
    failedAt: { name: 'failed_at', type: 'timestamptz', nullable: true },
  },
});

/** The idempotency key of a deleted execution, as read through TypeORM. */
export interface KeptKeyRow {
  workflow: string;
  idempotencyKey: string;
  executionId: string;
  keptAt: Date;
  expiresAt: Date;
}

export const KeptKeyEntity = new EntitySchema<KeptKeyRow>({
  name: 'CloacinaKeptKey',
  tableName: 'cloacina_kept_key',
  synchronize: false,
  columns: {
    workflow: { name: 'workflow', type: 'text', primary: true },
    idempotencyKey: { name: 'idempotency_key', type: 'text', primary: true },
    executionId: { name: 'execution_id', type: 'uuid' },
    keptAt: { name: 'kept_at', type: 'timestamptz', default: () => SERVER_CLOCK.transaction },
    expiresAt: { name: 'expires_at', type: 'timestamptz' },
  },
});
