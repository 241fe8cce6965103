import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/**
 * An event that an execution's row does not show, as read through TypeORM. bigint is returned as text. The column `xid` is
 * left out, because TypeORM does not know its type.
 */
export interface ExecutionEventRow {
  id: string;
  executionId: string;
  taskNo: number | null;
  /** 0 for the task itself. Null for an event of the execution. */
  itemNo: number | null;
  kind: string;
  detail: unknown;
  createdAt: Date;
}

/** A task that was taken from a lost process, as read through TypeORM. */
export interface RecoveryEventEntityRow {
  id: string;
  executionId: string;
  taskNo: number;
  itemNo: number;
  taskName: string | null;
  kind: string;
  cause: string;
  previousOwner: string | null;
  orphanedForMs: string | null;
  createdAt: Date;
}

export const ExecutionEventEntity = new EntitySchema<ExecutionEventRow>({
  name: 'CloacinaExecutionEvent',
  tableName: 'cloacina_execution_event',
  synchronize: false,
  columns: {
    id: {
      name: 'id',
      type: 'bigint',
      primary: true,
      generated: 'increment',
    },
    executionId: { name: 'execution_id', type: 'uuid' },
    taskNo: { name: 'task_no', type: 'integer', nullable: true },
    itemNo: { name: 'item_no', type: 'integer', nullable: true },
    kind: { name: 'kind', type: 'text' },
    detail: { name: 'detail', type: 'jsonb', nullable: true },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});

export const RecoveryEventEntity = new EntitySchema<RecoveryEventEntityRow>({
  name: 'CloacinaRecoveryEvent',
  tableName: 'cloacina_recovery_event',
  synchronize: false,
  columns: {
    id: {
      name: 'id',
      type: 'bigint',
      primary: true,
      generated: 'increment',
    },
    executionId: { name: 'execution_id', type: 'uuid' },
    taskNo: { name: 'task_no', type: 'integer' },
    itemNo: { name: 'item_no', type: 'integer', default: 0 },
    taskName: { name: 'task_name', type: 'text', nullable: true },
    kind: { name: 'kind', type: 'text' },
    cause: { name: 'cause', type: 'text' },
    previousOwner: { name: 'previous_owner', type: 'uuid', nullable: true },
    orphanedForMs: { name: 'orphaned_for_ms', type: 'bigint', nullable: true },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
