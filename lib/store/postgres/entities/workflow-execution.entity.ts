import { EntitySchema } from 'typeorm';
import type { ExecutionStatus } from '../../../workflow/states.js';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/** A started workflow, as read through TypeORM. bigint is returned as text, because it can exceed a safe integer. */
export interface WorkflowExecutionRow {
  id: string;
  workflow: string;
  definitionId: string;
  status: ExecutionStatus;
  /** The status that a Finishing execution gets at its end. */
  outcome: ExecutionStatus | null;
  idempotencyKey: string | null;
  tags: Record<string, string> | null;
  priority: number;
  input: unknown;
  context: unknown;
  error: unknown;
  reason: string | null;
  remainingLeaves: number;
  unhandledFailures: number;
  generation: number;
  depth: number;
  epilogue: number;
  unsettled: number;
  admitted: boolean;
  legalHold: boolean;
  hasWaiters: boolean;
  runAt: Date | null;
  timeoutMs: string | null;
  deadlineAt: Date | null;
  createdAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
  parentExecutionId: string | null;
  parentTaskNo: number | null;
  parentItemNo: number | null;
  parentStep: string | null;
  rootExecutionId: string | null;
  onParentEnd: 'cancel' | 'abandon' | null;
  forkedFrom: string | null;
  admissionKey: string | null;
  debounceKey: string | null;
  debouncedBy: string | null;
  batchCount: number | null;
  schedule: string | null;
  scheduledFor: Date | null;
  traceContext: string | null;
}

export const WorkflowExecutionEntity = new EntitySchema<WorkflowExecutionRow>({
  name: 'CloacinaWorkflowExecution',
  tableName: 'cloacina_workflow_execution',
  synchronize: false,
  columns: {
    id: { name: 'id', type: 'uuid', primary: true },
    workflow: { name: 'workflow', type: 'text' },
    definitionId: { name: 'definition_id', type: 'bigint' },
    status: { name: 'status', type: 'text' },
    outcome: { name: 'outcome', type: 'text', nullable: true },
    idempotencyKey: { name: 'idempotency_key', type: 'text', nullable: true },
    tags: { name: 'tags', type: 'jsonb', nullable: true },
    priority: { name: 'priority', type: 'integer', default: 0 },
    input: { name: 'input', type: 'json' },
    context: { name: 'context', type: 'json', nullable: true },
    error: { name: 'error', type: 'json', nullable: true },
    reason: { name: 'reason', type: 'text', nullable: true },
    remainingLeaves: { name: 'remaining_leaves', type: 'integer' },
    unhandledFailures: { name: 'unhandled_failures', type: 'integer', default: 0 },
    generation: { name: 'generation', type: 'integer', default: 0 },
    depth: { name: 'depth', type: 'smallint', default: 0 },
    epilogue: { name: 'epilogue', type: 'smallint', default: 0 },
    unsettled: { name: 'unsettled', type: 'smallint', default: 0 },
    admitted: { name: 'admitted', type: 'boolean', default: false },
    legalHold: { name: 'legal_hold', type: 'boolean', default: false },
    hasWaiters: { name: 'has_waiters', type: 'boolean', default: false },
    runAt: { name: 'run_at', type: 'timestamptz', nullable: true },
    timeoutMs: { name: 'timeout_ms', type: 'bigint', nullable: true },
    deadlineAt: { name: 'deadline_at', type: 'timestamptz', nullable: true },
    createdAt: { name: 'created_at', type: 'timestamptz', default: () => SERVER_CLOCK.transaction },
    startedAt: { name: 'started_at', type: 'timestamptz', nullable: true },
    completedAt: { name: 'completed_at', type: 'timestamptz', nullable: true },
    parentExecutionId: { name: 'parent_execution_id', type: 'uuid', nullable: true },
    parentTaskNo: { name: 'parent_task_no', type: 'integer', nullable: true },
    parentItemNo: { name: 'parent_item_no', type: 'integer', nullable: true },
    parentStep: { name: 'parent_step', type: 'text', nullable: true },
    rootExecutionId: { name: 'root_execution_id', type: 'uuid', nullable: true },
    onParentEnd: { name: 'on_parent_end', type: 'text', nullable: true },
    forkedFrom: { name: 'forked_from', type: 'uuid', nullable: true },
    admissionKey: { name: 'admission_key', type: 'text', nullable: true },
    debounceKey: { name: 'debounce_key', type: 'text', nullable: true },
    debouncedBy: { name: 'debounced_by', type: 'uuid', nullable: true },
    batchCount: { name: 'batch_count', type: 'integer', nullable: true },
    schedule: { name: 'schedule', type: 'text', nullable: true },
    scheduledFor: { name: 'scheduled_for', type: 'timestamptz', nullable: true },
    traceContext: { name: 'trace_context', type: 'text', nullable: true },
  },
});
