import { columns, epochMs, integer, json, long, orNull, strings, text, uuid } from './columns.js';
import { executionOf, taskOf, type Statement, type TenantTables } from './statement.js';
import type { ExecutionInput, RecordedOutcome } from '../../port/index.js';

const OUTCOME = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  status: text,
  skipReason: orNull(text),
  error: orNull(json),
  output: orNull(json),
  deletedKeys: strings,
  token: long,
});

/**
 * Reads the outcomes of tasks. It is sent separately after the claim, because a claiming statement may read older versions
 * of other rows than its claim.
 */
export const readOutcomes: Statement<RecordedOutcome> = {
  name: 'read_outcomes',
  columns: OUTCOME,
  text: (tables: TenantTables) => `SELECT ${OUTCOME.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    status: 't.status',
    skipReason: 't.skip_reason',
    // A task that Completed keeps the error of its last failed attempt.
    error: `CASE WHEN t.status = 'Failed' THEN t.error END`,
    output: 't.output',
    deletedKeys: 'array_to_json(t.deleted_keys)',
    token: 't.claim_token',
  })}
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS i(execution_id, task_no, item_no)
    JOIN ${tables.task} t ON ${taskOf('i')}
  WHERE t.status IN ('Completed', 'Failed', 'Skipped', 'Cancelled')`,
};

const INPUT = columns({
  id: uuid,
  input: json,
  deadlineInMs: orNull(long),
  traceContext: orNull(text),
});

interface InputRow extends ExecutionInput {
  readonly id: string;
}

/** Reads the inputs of executions whose tasks were claimed by a process that didn't start them. */
export const readInputs: Statement<InputRow> = {
  name: 'read_inputs',
  columns: INPUT,
  text: (tables: TenantTables) => `SELECT ${INPUT.select({
    id: 'x.id',
    input: 'x.input',
    deadlineInMs: epochMs(`x.deadline_at - ${tables.clock.now}`),
    traceContext: 'x.trace_context',
  })}
  FROM unnest($1::uuid[]) AS i(id) JOIN ${tables.execution} x ON ${executionOf('i.id')}`,
};
