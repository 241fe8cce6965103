import type pg from 'pg';
import type { ExecutionColumns, StoredRows, TaskColumns } from '../../conformance/stored-rows.js';
import type { TenantTables } from '../../../lib/store/postgres/statements/statement.js';

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
    `SELECT * FROM ${tables.task} WHERE execution_id = $1 ORDER BY task_no, item_no`,
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
  const { tasks } = await rowsOf(source, id);
  const task = tasks.find((row) => row.task_no === taskNo && row.item_no === 0);
  if (task === undefined) throw new Error(`Execution ${id} has no task ${taskNo}.`);
  return task;
}

/** The statuses of all its tasks, by number. */
export async function statusesOf(source: Source, id: string): Promise<string[]> {
  return (await rowsOf(source, id)).tasks.map((task) => task.status);
}
