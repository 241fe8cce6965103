import type pg from 'pg';
import type { TenantTables } from '../../../lib/store/postgres/statements/statement.js';

export interface TaskColumns {
  readonly task_no: number;
  readonly status: string;
  readonly pending_dependencies: number;
  readonly unmet_dependencies: number;
  readonly claim_token: number;
  readonly owner: string | null;
  readonly priority: number;
  readonly run_at: Date | null;
  readonly paused: boolean;
  readonly attempt: number;
  readonly recovery_attempts: number;
  readonly generation: number;
  readonly failure_handled: boolean;
  readonly skip_reason: string | null;
  readonly output: unknown;
  readonly deleted_keys: string[] | null;
  readonly error: unknown;
  readonly attempts: readonly Record<string, unknown>[] | null;
  readonly deferred_since: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
}

export interface ExecutionColumns {
  readonly status: string;
  readonly remaining_leaves: number;
  readonly unhandled_failures: number;
  readonly generation: number;
  readonly has_waiters: boolean;
  readonly context: unknown;
  readonly reason: string | null;
  readonly deadline_at: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
}

/** All that a schema holds of one execution, as the columns are. */
export interface StoredRows {
  readonly execution: ExecutionColumns | undefined;
  /** By task number. */
  readonly tasks: readonly TaskColumns[];
  readonly events: readonly { readonly kind: string; readonly task_no: number | null }[];
}

/** The driver sends a bigint as text; the library's tokens are exact numbers. */
type StoredTask = Omit<TaskColumns, 'claim_token'> & { readonly claim_token: string };

interface Source {
  readonly admin: pg.Client;
  readonly tables: TenantTables;
}

/** For comparing before and after too: nothing is left out. */
export async function rowsOf({ admin, tables }: Source, id: string): Promise<StoredRows> {
  const executions = await admin.query<ExecutionColumns>(
    `SELECT * FROM ${tables.execution} WHERE id = $1`,
    [id],
  );
  const tasks = await admin.query<StoredTask>(
    `SELECT * FROM ${tables.task} WHERE execution_id = $1 ORDER BY task_no`,
    [id],
  );
  const events = await admin.query<{ kind: string; task_no: number | null }>(
    `SELECT * FROM ${tables.event} WHERE execution_id = $1 ORDER BY id`,
    [id],
  );
  return {
    execution: executions.rows[0],
    tasks: tasks.rows.map((task) => ({ ...task, claim_token: Number(task.claim_token) })),
    events: events.rows,
  };
}

export async function taskOf(source: Source, id: string, taskNo: number): Promise<TaskColumns> {
  const task = (await rowsOf(source, id)).tasks[taskNo];
  if (task === undefined) throw new Error(`Execution ${id} has no task ${taskNo}.`);
  return task;
}

/** The statuses of all its tasks, by number. */
export async function statusesOf(source: Source, id: string): Promise<string[]> {
  return (await rowsOf(source, id)).tasks.map((task) => task.status);
}
