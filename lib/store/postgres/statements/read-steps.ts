import { columns, restMs, integer, json, long, orNull, text, uuid } from './columns.js';
import type { Statement } from './statement.js';
import type { StepKind, StepRow, StepStatus } from '../../port/index.js';

const STEP = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  name: text,
  kind: text,
  status: text,
  result: orNull(json),
  error: orNull(json),
  childId: orNull(uuid),
  eventName: orNull(text),
  eventKey: orNull(text),
  dueInMs: orNull(long),
});
type ReadStep = ReturnType<typeof STEP.decode>[number];

/** Reads all checkpoints of tasks by the first columns of their key. */
export const readSteps: Statement<ReadStep> = {
  name: 'read_steps',
  columns: STEP,
  text: (tables) => `SELECT ${STEP.select({
    executionId: 's.execution_id',
    taskNo: 's.task_no',
    itemNo: 's.item_no',
    name: 's.name',
    kind: 's.kind',
    status: 's.status',
    result: 's.result',
    error: 's.error',
    childId: 's.child_id',
    eventName: 's.event_name',
    eventKey: 's.event_key',
    dueInMs: restMs(`s.due_at - ${tables.clock.now}`),
  })}
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS asked(execution_id, task_no, item_no)
    JOIN ${tables.step} s ON s.execution_id = ANY (ARRAY[asked.execution_id]) AND s.task_no = asked.task_no
      AND s.item_no = asked.item_no`,
};

/** The checks of the table allow no other kinds and statuses. */
export function stepsOf(rows: readonly ReadStep[]): StepRow[] {
  return rows.map(({ eventName, eventKey, ...row }) => ({
    ...row,
    kind: row.kind as StepKind,
    status: row.status as StepStatus,
    listensFor: listenedFor(eventName, eventKey),
  }));
}

/** What a step listens for, by its columns. */
export function listenedFor(name: string | null, key: string | null): StepRow['listensFor'] {
  return name === null || key === null ? null : { name, key };
}
