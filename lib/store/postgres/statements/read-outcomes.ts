import { plainArray } from './encoding.js';
import {
  executionOf,
  taskOf,
  type RawRow,
  type Statement,
  type TenantTables,
} from './statement.js';
import type { RecordedOutcome } from '../../port/index.js';

/**
 * Reads the outcomes of the tasks asked for: a statement of its own, after the claim, because what a claiming
 * statement reads of other rows may be older than the claim.
 */
export const readOutcomes: Statement = {
  name: 'read_outcomes',
  text: (
    tables: TenantTables,
  ) => `SELECT t.execution_id, t.task_no, t.status, t.skip_reason, t.output,
    array_to_json(t.deleted_keys), t.claim_token
  FROM unnest($1::uuid[], $2::integer[]) AS i(execution_id, task_no)
    JOIN ${tables.task} t ON ${taskOf('i')}
  WHERE t.status IN ('Completed', 'Failed', 'Skipped', 'Cancelled')`,
};

export function readOutcomesValues(
  tasks: readonly { readonly executionId: string; readonly taskNo: number }[],
): unknown[] {
  return [
    plainArray(tasks.map((task) => task.executionId)),
    plainArray(tasks.map((task) => task.taskNo)),
  ];
}

export function decodeOutcomes(rows: readonly RawRow[]): RecordedOutcome[] {
  return rows.map((row) => ({
    executionId: row[0] ?? '',
    taskNo: Number(row[1]),
    status: row[2] ?? '',
    skipReason: row[3] ?? null,
    output: row[4] ?? null,
    deletedKeys: row[5] ? (JSON.parse(row[5]) as string[]) : [],
    token: Number(row[6]),
  }));
}

/** The input contexts of executions whose tasks were claimed by a process that didn't start them. */
export const readInputs: Statement = {
  name: 'read_inputs',
  text: (tables: TenantTables) => `SELECT x.id, x.input, x.deadline_at IS NOT NULL,
    (extract(epoch FROM x.deadline_at - clock_timestamp()) * 1000)::bigint
  FROM unnest($1::uuid[]) AS i(id) JOIN ${tables.execution} x ON ${executionOf('i.id')}`,
};
