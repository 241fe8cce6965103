import type { ReadRows } from '../workload/history.js';

/** What the database says when all is over. Times are microseconds since 1970, by its clock. */
export interface Facts {
  readonly executions: ReadonlyMap<string, ExecutionFacts>;
  readonly signals: ReadonlyMap<string, SignalFacts>;
  /** Rows that transactions of steps and tasks wrote. */
  readonly effects: readonly EffectFacts[];
}

export interface ExecutionFacts {
  readonly id: string;
  readonly workflow: string;
  readonly status: string;
  readonly path: string;
  readonly key: string | null;
  readonly parentId: string | null;
  readonly parentTaskNo: number | null;
  readonly parentStep: string | null;
  readonly onParentEnd: 'cancel' | 'abandon';
  readonly unsettled: number;
  readonly createdAt: number;
  readonly hasTimedOut: boolean;
  /** By number. */
  readonly tasks: readonly TaskFacts[];
  /** By the number of the task and the name. */
  readonly steps: ReadonlyMap<string, StepFacts>;
}

export interface TaskFacts {
  readonly no: number;
  readonly status: string;
  readonly owner: string | null;
  readonly output: Readonly<Record<string, unknown>> | null;
}

export interface StepFacts {
  readonly taskNo: number;
  readonly name: string;
  readonly kind: string;
  readonly status: string;
  readonly result: unknown;
  readonly childId: string | null;
  readonly signalId: string | null;
  readonly dueAt: number | null;
  readonly completedAt: number | null;
}

export interface SignalFacts {
  readonly id: string;
  readonly executionId: string | null;
  readonly name: string;
  readonly key: string | null;
  readonly payload: { readonly for: string; readonly value: string };
  readonly delivered: boolean;
  readonly consumed: boolean;
  readonly createdAt: number;
}

export interface EffectFacts {
  readonly executionId: string;
  readonly name: string;
  readonly value: string;
}

export const stepKey = (taskNo: number, name: string): string => `${taskNo} ${name}`;

const at = (time: string): string => `(extract(epoch FROM ${time}) * 1000000)::float8`;

const EXECUTIONS = `SELECT x.id, x.workflow, x.status, x.input ->> 'path' AS path, x.idempotency_key AS key,
    x.parent_execution_id AS "parentId", x.parent_task_no AS "parentTaskNo", x.parent_step AS "parentStep",
    x.on_parent_end AS "onParentEnd", x.unsettled, ${at('x.created_at')} AS "createdAt",
    EXISTS (SELECT FROM cloacina_execution_event v
            WHERE v.execution_id = x.id AND v.kind = 'timedOut') AS "hasTimedOut",
    (SELECT json_agg(json_build_object('no', t.task_no, 'status', t.status, 'owner', t.owner, 'output', t.output)
                     ORDER BY t.task_no)
     FROM cloacina_task_execution t WHERE t.execution_id = x.id) AS tasks,
    (SELECT json_agg(json_build_object('taskNo', s.task_no, 'name', s.name, 'kind', s.kind, 'status', s.status,
                     'result', s.result, 'childId', s.child_id, 'signalId', s.signal_id::text,
                     'dueAt', ${at('s.due_at')}, 'completedAt', ${at('s.completed_at')}))
     FROM cloacina_task_step s WHERE s.execution_id = x.id) AS steps
  FROM cloacina_workflow_execution x`;
const SIGNALS = `SELECT id::text, execution_id AS "executionId", name, key, payload, delivered, consumed,
    ${at('created_at')} AS "createdAt" FROM cloacina_signal`;
const EFFECTS = 'SELECT execution_id AS "executionId", name, value FROM effect';

type ExecutionRow = Omit<ExecutionFacts, 'tasks' | 'steps'> & {
  readonly tasks: TaskFacts[] | null;
  readonly steps: StepFacts[] | null;
};

export async function readFacts(read: ReadRows): Promise<Facts> {
  const executions = (await read<ExecutionRow>(EXECUTIONS)).map((row): ExecutionFacts => ({
    ...row,
    tasks: row.tasks ?? [],
    steps: new Map((row.steps ?? []).map((step) => [stepKey(step.taskNo, step.name), step])),
  }));
  const signals = await read<SignalFacts>(SIGNALS);
  return {
    executions: new Map(executions.map((each) => [each.id, each])),
    signals: new Map(signals.map((each) => [each.id, each])),
    effects: await read<EffectFacts>(EFFECTS),
  };
}
