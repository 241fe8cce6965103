import { EntitySchema } from 'typeorm';
import type { TaskStatus } from '../../../workflow/states.js';

/** A task of an execution, as read through TypeORM. */
export interface TaskExecutionRow {
  executionId: string;
  taskNo: number;
  /** 0 for the task itself, from 1 on for an item of the task. */
  itemNo: number;
  definitionId: string;
  status: TaskStatus;
  pendingDependencies: number;
  unmetDependencies: number;
  claimToken: number;
  owner: string | null;
  priority: number;
  runAt: Date | null;
  paused: boolean;
  attempt: number;
  recoveryAttempts: number;
  generation: number;
  wakes: number;
  failureHandled: boolean;
  hasSteps: boolean;
  itemCount: number | null;
  limitKey: string | null;
  item: unknown;
  skipReason: string | null;
  output: unknown;
  deletedKeys: string[] | null;
  error: unknown;
  attempts: unknown;
  deferredSince: Date | null;
  startedAt: Date | null;
  completedAt: Date | null;
}

export const TaskExecutionEntity = new EntitySchema<TaskExecutionRow>({
  name: 'CloacinaTaskExecution',
  tableName: 'cloacina_task_execution',
  synchronize: false,
  columns: {
    executionId: { name: 'execution_id', type: 'uuid', primary: true },
    taskNo: { name: 'task_no', type: 'integer', primary: true },
    itemNo: { name: 'item_no', type: 'integer', primary: true, default: 0 },
    definitionId: { name: 'definition_id', type: 'bigint' },
    status: { name: 'status', type: 'text' },
    pendingDependencies: { name: 'pending_dependencies', type: 'integer', default: 0 },
    unmetDependencies: { name: 'unmet_dependencies', type: 'integer', default: 0 },
    claimToken: { name: 'claim_token', type: 'bigint', default: 0 },
    owner: { name: 'owner', type: 'uuid', nullable: true },
    priority: { name: 'priority', type: 'integer', default: 0 },
    runAt: { name: 'run_at', type: 'timestamptz', nullable: true },
    paused: { name: 'paused', type: 'boolean', default: false },
    attempt: { name: 'attempt', type: 'integer', default: 0 },
    recoveryAttempts: { name: 'recovery_attempts', type: 'integer', default: 0 },
    generation: { name: 'generation', type: 'integer', default: 0 },
    wakes: { name: 'wakes', type: 'integer', default: 0 },
    hasSteps: { name: 'has_steps', type: 'boolean', default: false },
    itemCount: { name: 'item_count', type: 'integer', nullable: true },
    limitKey: { name: 'limit_key', type: 'text', nullable: true },
    item: { name: 'item', type: 'json', nullable: true },
    failureHandled: { name: 'failure_handled', type: 'boolean', default: false },
    skipReason: { name: 'skip_reason', type: 'text', nullable: true },
    output: { name: 'output', type: 'json', nullable: true },
    deletedKeys: { name: 'deleted_keys', type: 'text', array: true, nullable: true },
    error: { name: 'error', type: 'json', nullable: true },
    attempts: { name: 'attempts', type: 'jsonb', nullable: true },
    deferredSince: { name: 'deferred_since', type: 'timestamptz', nullable: true },
    startedAt: { name: 'started_at', type: 'timestamptz', nullable: true },
    completedAt: { name: 'completed_at', type: 'timestamptz', nullable: true },
  },
});
