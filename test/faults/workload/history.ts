import {
  restoreWorkflow,
  type CompiledWorkflow,
  type ExecutionStatus,
  type SkipReason,
  type StoredDefinition,
  type TaskStatus,
} from '../../../lib/workflow/index.js';

/** Times are microseconds since 1970, by the database's clock. */
export interface ExecutionFacts {
  readonly id: string;
  readonly status: ExecutionStatus;
  readonly generation: number;
  readonly remainingLeaves: number;
  readonly unhandledFailures: number;
  readonly hasDeadline: boolean;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
}

export interface AttemptFacts {
  readonly attempt: number;
  readonly startedAt: number | null;
  readonly completedAt: number;
}

export interface TaskFacts {
  readonly no: number;
  readonly status: TaskStatus;
  readonly pending: number;
  readonly unmet: number;
  /** Claims and ends of claims, by the claim token: odd while it is held. */
  readonly token: number;
  readonly isOwned: boolean;
  readonly isDue: boolean;
  readonly paused: boolean;
  /** Whether it has recorded steps: each takes the failed attempts and the recoveries off the row. */
  readonly hasSteps: boolean;
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly generation: number;
  readonly skipReason: SkipReason | null;
  readonly hasError: boolean;
  readonly attempts: readonly AttemptFacts[];
  readonly startedAt: number | null;
  readonly completedAt: number | null;
}

/** A row of the event log, or of the recoveries. */
export interface EventFacts {
  readonly log: 'execution' | 'recovery';
  readonly id: number;
  /** Null: of the execution as a whole. */
  readonly taskNo: number | null;
  readonly kind: string;
  readonly at: number;
  /** What `retried`, `taskSkipped`, `reset` and `executionRetried` say. */
  readonly attempt: number | null;
  readonly reason: string | null;
  readonly was: TaskStatus | null;
  readonly wasCompletedAt: number | null;
  readonly wasSkipReason: string | null;
  readonly tasks: number | null;
}

/** All that a schema says of one execution, at one instant. */
export interface History {
  readonly workflow: CompiledWorkflow;
  readonly execution: ExecutionFacts;
  /** By number. */
  readonly tasks: readonly TaskFacts[];
  /** In the order in which they came. */
  readonly events: readonly EventFacts[];
}

/** Rows of one query with the tenant's schema as search_path. */
export type ReadRows = <R extends object>(sql: string) => Promise<R[]>;

const at = (time: string): string => `(extract(epoch FROM ${time}) * 1000000)::bigint`;

/** One statement, and so one snapshot: what it shows must hold whatever is under way. */
const HISTORIES = `SELECT d.definition, json_build_object(
    'id', x.id, 'status', x.status, 'generation', x.generation, 'remainingLeaves', x.remaining_leaves,
    'unhandledFailures', x.unhandled_failures, 'hasDeadline', x.deadline_at IS NOT NULL,
    'createdAt', ${at('x.created_at')}, 'startedAt', ${at('x.started_at')},
    'completedAt', ${at('x.completed_at')}) AS execution,
  (SELECT json_agg(json_build_object(
     'no', t.task_no, 'status', t.status, 'pending', t.pending_dependencies, 'unmet', t.unmet_dependencies,
     'token', (t.claim_token >> 33) * 2 - (t.claim_token > 0 AND t.claim_token % 2 = 0)::integer, 'isOwned', t.owner IS NOT NULL, 'isDue', t.run_at IS NOT NULL, 'paused', t.paused,
     'hasSteps', t.has_steps, 'attempt', t.attempt, 'recoveryAttempts', t.recovery_attempts, 'generation', t.generation,
     'skipReason', t.skip_reason, 'hasError', t.error IS NOT NULL,
     'attempts', coalesce((SELECT json_agg(json_build_object('attempt', a -> 'attempt',
         'startedAt', ${at("(a ->> 'startedAt')::timestamptz")},
         'completedAt', ${at("(a ->> 'completedAt')::timestamptz")}) ORDER BY n)
       FROM jsonb_array_elements(t.attempts) WITH ORDINALITY AS e(a, n)), '[]'),
     'startedAt', ${at('t.started_at')}, 'completedAt', ${at('t.completed_at')}) ORDER BY t.task_no)
   FROM cloacina_task_execution t WHERE t.execution_id = x.id) AS tasks,
  (SELECT json_agg(e ORDER BY e.at, e.log, e.id) FROM (
     SELECT 'execution' AS log, id, task_no AS "taskNo", kind, ${at('created_at')} AS at,
       (detail ->> 'attempt')::integer AS attempt, detail ->> 'reason' AS reason, detail ->> 'status' AS was,
       ${at("(detail ->> 'completedAt')::timestamptz")} AS "wasCompletedAt",
       detail ->> 'skipReason' AS "wasSkipReason", CASE kind WHEN 'executionRetried' THEN (detail ->> 'tasks')::integer END AS tasks
     FROM cloacina_execution_event v WHERE v.execution_id = x.id
     UNION ALL
     SELECT 'recovery', id, task_no, kind, ${at('created_at')}, NULL, NULL, NULL, NULL, NULL, NULL
     FROM cloacina_recovery_event r WHERE r.execution_id = x.id) e) AS events
  FROM cloacina_workflow_execution x JOIN cloacina_workflow_definition d ON d.id = x.definition_id
  ORDER BY x.created_at, x.id`;

interface HistoryRow {
  readonly definition: StoredDefinition;
  readonly execution: ExecutionFacts;
  readonly tasks: readonly TaskFacts[] | null;
  readonly events: readonly EventFacts[] | null;
}

/** The histories of all executions in the schema. */
export async function readHistories(read: ReadRows): Promise<History[]> {
  const workflows = new Map<string, CompiledWorkflow>();
  return (await read<HistoryRow>(HISTORIES)).map(({ definition, execution, tasks, events }) => {
    const workflow = workflows.get(definition.hash) ?? restoreWorkflow(definition);
    workflows.set(definition.hash, workflow);
    return { workflow, execution, tasks: tasks ?? [], events: events ?? [] };
  });
}
