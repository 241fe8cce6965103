import { EntitySchema } from 'typeorm';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A named checkpoint of a task, as read through TypeORM. bigint is returned as text. */
export interface TaskStepRow {
  executionId: string;
  taskNo: number;
  itemNo: number;
  name: string;
  kind: 'step' | 'sleep' | 'signal' | 'event' | 'child';
  status: 'Open' | 'Done' | 'Failed' | 'TimedOut';
  result: unknown;
  error: unknown;
  childId: string | null;
  signalId: string | null;
  eventName: string | null;
  eventKey: string | null;
  dueAt: Date | null;
  startedAt: Date;
  completedAt: Date | null;
}

/** A message for tasks, as read through TypeORM. */
export interface SignalRow {
  id: string;
  executionId: string | null;
  name: string;
  key: string | null;
  payload: unknown;
  idempotencyKey: string | null;
  delivered: boolean;
  consumed: boolean;
  createdAt: Date;
  expiresAt: Date | null;
  /** How far the delivery of an event to many tasks has come. */
  delivery: { executionId: string; taskNo: number; itemNo: number; skips: boolean } | null;
}

/** The last reported progress of a task, as read through TypeORM. */
export interface TaskProgressRow {
  executionId: string;
  taskNo: number;
  itemNo: number;
  value: unknown;
  updatedAt: Date;
}

const TASK_KEY = {
  executionId: { name: 'execution_id', type: 'uuid', primary: true },
  taskNo: { name: 'task_no', type: 'integer', primary: true },
  itemNo: { name: 'item_no', type: 'integer', primary: true },
} as const;

export const TaskStepEntity = new EntitySchema<TaskStepRow>({
  name: 'CloacinaTaskStep',
  tableName: 'cloacina_task_step',
  synchronize: false,
  columns: {
    ...TASK_KEY,
    name: { name: 'name', type: 'text', primary: true },
    kind: { name: 'kind', type: 'text' },
    status: { name: 'status', type: 'text' },
    result: { name: 'result', type: 'json', nullable: true },
    error: { name: 'error', type: 'json', nullable: true },
    childId: { name: 'child_id', type: 'uuid', nullable: true },
    signalId: { name: 'signal_id', type: 'bigint', nullable: true },
    eventName: { name: 'event_name', type: 'text', nullable: true },
    eventKey: { name: 'event_key', type: 'text', nullable: true },
    dueAt: { name: 'due_at', type: 'timestamptz', nullable: true },
    startedAt: { name: 'started_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
    completedAt: { name: 'completed_at', type: 'timestamptz', nullable: true },
  },
});

export const SignalEntity = new EntitySchema<SignalRow>({
  name: 'CloacinaSignal',
  tableName: 'cloacina_signal',
  synchronize: false,
  columns: {
    id: { name: 'id', type: 'bigint', primary: true, generated: 'increment' },
    executionId: { name: 'execution_id', type: 'uuid', nullable: true },
    name: { name: 'name', type: 'text' },
    key: { name: 'key', type: 'text', nullable: true },
    payload: { name: 'payload', type: 'json' },
    idempotencyKey: { name: 'idempotency_key', type: 'text', nullable: true },
    delivered: { name: 'delivered', type: 'boolean', default: false },
    consumed: { name: 'consumed', type: 'boolean', default: false },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
    expiresAt: { name: 'expires_at', type: 'timestamptz', nullable: true },
    delivery: { type: 'json', nullable: true },
  },
});

export const TaskProgressEntity = new EntitySchema<TaskProgressRow>({
  name: 'CloacinaTaskProgress',
  tableName: 'cloacina_task_progress',
  synchronize: false,
  columns: {
    ...TASK_KEY,
    value: { name: 'value', type: 'json' },
    updatedAt: { name: 'updated_at', type: 'timestamptz', default: () => SERVER_CLOCK.now },
  },
});
