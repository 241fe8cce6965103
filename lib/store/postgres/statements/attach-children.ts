import { columns, long } from './columns.js';
import { plainArray } from './encoding.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import { stepFence } from './step-fence.js';
import { CHILD_EVENT, END_CHILDREN, TELL_PARENTS, type ChildAttachment } from '../../port/index.js';

const ATTACHED = columns({ index: long });
type AttachedRow = ReturnType<typeof ATTACHED.decode>[number];

/**
 * Writes the steps of tasks that name executions with an idempotency key, fenced as in `start_children`. A step that waits
 * for nothing is over, so it is progress, as a started child is.
 *
 * The execution may end at the same time. Its end is stored before the process that ends it looks for open steps; the step
 * is stored, by this statement, before the task looks whether the execution has ended. So at least one of the two sees
 * the other. The bit on the execution makes its end look for steps at all.
 */
export const attachChildren: Statement<AttachedRow> = {
  name: 'attach_children',
  columns: ATTACHED,
  text: (tables: TenantTables) => `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]),
      json_array_elements_text($5::json), unnest($6::boolean[]), unnest($7::uuid[])
    ) WITH ORDINALITY AS i(execution_id, task_no, item_no, claim_token, name, waits, child_id, ord)
  ), ${stepFence(tables, 'NOT waits')}, step AS (
    INSERT INTO ${tables.step} (execution_id, task_no, item_no, name, kind, status, child_id, event_name, event_key,
                                completed_at)
    SELECT execution_id, task_no, item_no, name, 'child', CASE WHEN waits THEN 'Open' ELSE 'Done' END, child_id,
           CASE WHEN waits THEN '${CHILD_EVENT}' END, CASE WHEN waits THEN child_id::text END,
           CASE WHEN NOT waits THEN ${tables.clock.now} END
    FROM held
    ON CONFLICT DO NOTHING
    RETURNING child_id
  ), marked AS (
    UPDATE ${tables.execution} x SET unsettled = x.unsettled | p.bit
    FROM (
      SELECT id, bit_or(bit) AS bit FROM (
        SELECT child_id AS id, ${TELL_PARENTS} AS bit FROM held WHERE waits
        UNION ALL SELECT execution_id, ${END_CHILDREN} FROM held
      ) b GROUP BY 1 ORDER BY 1
    ) p
    WHERE ${executionOf('p.id')} AND x.unsettled & p.bit <> p.bit AND (SELECT count(*) FROM step) >= 0
  )
  SELECT ${ATTACHED.select({ index: 'ord - 1' })} FROM held`,
};

export function attachmentValues(attachments: readonly ChildAttachment[]): unknown[] {
  const parents = attachments.map(({ parent }) => parent);
  return [
    plainArray(parents.map(({ executionId }) => executionId)),
    plainArray(parents.map(({ taskNo }) => taskNo)),
    plainArray(parents.map(({ itemNo }) => itemNo)),
    plainArray(parents.map(({ token }) => token)),
    JSON.stringify(parents.map(({ step }) => step)),
    plainArray(parents.map(({ waits }) => waits)),
    plainArray(attachments.map(({ childId }) => childId)),
  ];
}

/** By index: whether the claim was held. */
export function attachedOf(rows: readonly AttachedRow[], count: number): boolean[] {
  const held = new Array<boolean>(count).fill(false);
  for (const { index } of rows) held[index] = true;
  return held;
}
