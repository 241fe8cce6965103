import { unsettledBy } from './admission-slots.js';
import { bigint, boolean, columns, integer, long, orNull, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import {
  fromMissingDefinitions,
  insertUnclaimedTasks,
  lockedTasksClause,
  START_COLUMNS,
  startNames,
} from './start-clauses.js';
import { labelColumns, startColumns } from './start-values.js';
import { executionOf, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  BATCH_INPUT,
  type BatchedStart,
  type BatchReply,
  type BatchResult,
} from '../../port/index.js';

const BATCHED = columns({
  index: long,
  id: orNull(uuid),
  created: orNull(boolean),
  taken: orNull(integer),
  isFull: orNull(boolean),
  missingDefinition: orNull(bigint),
});
type BatchedRow = ReturnType<typeof BATCHED.decode>[number];

/** Begins a stored key, so that a batch and a debounced execution of a workflow may have the same key. */
const KEY_PREFIX = '\u001e';

/**
 * Adds inputs to the executions with their keys that have not begun, or creates these.
 *
 * **Each input is in one batch.** The tasks of the execution are locked first, then its row, and the row says under the lock
 * whether it has begun, and how many inputs it has. A claim that begins it locks in the same order: either it comes before, and
 * the start finds a begun execution and creates another one; or it comes after, and its handler reads the new inputs too.
 * No claim knows of batches: the start takes the key from an execution that has begun or ended.
 *
 * **Never too many.** The number of inputs is that of the locked row. A start adds as many as there is room for, and the one that
 * fills the batch makes it due and takes its key. The rest is sent again.
 *
 * **Sent again.** An input has a unique id. A start is only sent again for inputs that a look has not found. One that commits
 * during that makes this statement fail by the unique index of inputs, and all of it is sent again.
 *
 * **Lock order.** As that of debounced starts: tasks, executions, and then the keys of new ones.
 */
function batchText(tables: TenantTables): string {
  const { clock } = tables;
  return `WITH i AS MATERIALIZED (
    SELECT i.*, json_array_length(i.inputs) AS count FROM ROWS FROM (
      ${START_COLUMNS}, json_array_elements_text($17::json), unnest($18::bigint[]),
      unnest($19::integer[]), json_array_elements_text($20::json), json_array_elements_text($21::json),
      json_array_elements_text($22::json), json_array_elements($23::json), json_array_elements($24::json),
      json_array_elements_text($26::json)
    ) WITH ORDINALITY AS i(${startNames()}, batch_key, wait_ms, size, tags, limit_keys, admission_key,
           inputs, input_ids, trace_context, ord)
  ), found AS MATERIALIZED (
    SELECT i.ord, i.batch_key, i.size, i.count, x.id, x.definition_id = i.definition_id AS is_same
    FROM i CROSS JOIN LATERAL (
      SELECT x.id, x.definition_id FROM ${tables.execution} x
      WHERE x.workflow = i.workflow AND x.debounce_key = i.batch_key AND x.debounce_key IS NOT NULL LIMIT 1
    ) x
  ), ${lockedTasksClause(tables)}, held AS MATERIALIZED (
    SELECT f.ord, f.id, x.admitted, n.taken, x.batch_count + n.taken AS filled, x.batch_count + n.taken >= f.size AS is_full
    FROM (SELECT * FROM found ORDER BY id) f CROSS JOIN LATERAL (
      SELECT x.batch_count, x.admitted FROM ${tables.execution} x
      WHERE ${executionOf('f.id')} AND coalesce(x.debounce_key, '') = f.batch_key AND x.batch_count < f.size
        AND (x.started_at IS NOT NULL OR x.completed_at IS NOT NULL) IS FALSE
      FOR NO KEY UPDATE
    ) x CROSS JOIN LATERAL (SELECT least(f.count, f.size - x.batch_count) AS taken) n
    WHERE f.is_same AND (SELECT count(*) FROM locked_task) >= 0
  ), updated AS (
    UPDATE ${tables.execution} x
    SET batch_count = h.filled, debounce_key = CASE WHEN NOT h.is_full THEN x.debounce_key END,
        run_at = CASE WHEN h.is_full AND NOT h.admitted THEN least(x.run_at, ${clock.now}) ELSE x.run_at END
    FROM held h WHERE ${executionOf('h.id')}
  ), updated_task AS (
    UPDATE ${tables.task} t SET run_at = least(t.run_at, ${clock.now})
    FROM locked_task l JOIN held h ON h.id = l.execution_id
    WHERE ${taskOf('l')} AND h.is_full AND t.run_at IS NOT NULL
  ), released AS (
    UPDATE ${tables.execution} x SET debounce_key = NULL
    FROM (SELECT id, batch_key FROM found WHERE ord NOT IN (SELECT ord FROM held) ORDER BY 1) f
    WHERE ${executionOf('f.id')} AND coalesce(x.debounce_key, '') = f.batch_key
    RETURNING x.id
  ), e AS MATERIALIZED (
    SELECT i.*, n.taken, n.taken >= i.size AS is_full,
           ${clock.now} + CASE WHEN n.taken >= i.size THEN 0 ELSE i.wait_ms END * interval '1 millisecond' AS due_at
    FROM i CROSS JOIN LATERAL (SELECT least(i.count, i.size) AS taken) n
    WHERE i.ord NOT IN (SELECT ord FROM held) AND (SELECT count(*) FROM released) >= 0
    ORDER BY i.ord
  ), execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, run_at, tags, debounce_key, batch_count, admission_key,
                                     trace_context, unsettled)
    SELECT id, workflow, definition_id, 'Pending', priority, input::json, leaves, timeout_ms, due_at, tags::jsonb,
           CASE WHEN NOT is_full THEN batch_key END, taken, admission_key, trace_context, ${unsettledBy('admission_key')}
    FROM e
    ON CONFLICT DO NOTHING
    RETURNING id
  ), task AS (
    ${insertUnclaimedTasks(tables, 'e.due_at')}
    WHERE (e.id IN (SELECT id FROM execution)) IS TRUE
  ), result AS MATERIALIZED (
    SELECT h.ord, h.id, false AS created, h.taken, h.is_full FROM held h
    UNION ALL
    SELECT e.ord, e.id, true, e.taken, e.is_full FROM e WHERE (e.id IN (SELECT id FROM execution)) IS TRUE
  ), added AS (
    INSERT INTO ${tables.signal} (execution_id, name, payload, idempotency_key, delivered)
    SELECT r.id, '${BATCH_INPUT}', p.payload, p.id, true
    FROM result r JOIN i ON i.ord = r.ord CROSS JOIN LATERAL ROWS FROM (
      json_array_elements(i.inputs), json_array_elements_text(i.input_ids)
    ) WITH ORDINALITY AS p(payload, id, no)
    WHERE p.no <= r.taken ORDER BY r.ord, p.no
  )
  SELECT ${BATCHED.selectSome({
    index: 'r.ord - 1',
    id: 'r.id',
    created: 'r.created',
    taken: 'r.taken',
    isFull: 'r.is_full',
  })} FROM result r
  UNION ALL SELECT ${BATCHED.selectSome({ index: '-1', missingDefinition: 'u.id' })} ${fromMissingDefinitions(tables, '$25')}`;
}

export const batchExecutions: Statement<BatchedRow> = {
  name: 'batch_executions',
  columns: BATCHED,
  text: batchText,
};

export function batchValues(starts: readonly BatchedStart[]): unknown[] {
  const items = starts.map(({ item }) => item);
  const { values, plans } = startColumns(items);
  const labels = labelColumns(items);
  const payloads = starts.map(({ inputs }) => `[${inputs.map(({ input }) => input).join(',')}]`);
  return [
    ...values,
    JSON.stringify(starts.map(({ key }) => `${KEY_PREFIX}${key}`)),
    plainArray(starts.map(({ waitMs }) => waitMs)),
    plainArray(starts.map(({ size }) => size)),
    labels.tags,
    labels.limitKeys,
    labels.admissionKeys,
    `[${payloads.join(',')}]`,
    JSON.stringify(starts.map(({ inputs }) => inputs.map(({ id }) => id))),
    plainArray(plans.map(({ definitionId }) => definitionId)),
    labels.traces,
  ];
}

export function batchReplyOf(
  rows: readonly BatchedRow[],
  starts: readonly BatchedStart[],
): BatchReply {
  const results = starts.map(({ item }): BatchResult => ({
    id: item.id,
    created: false,
    taken: 0,
    isFull: false,
  }));
  let definitionsAreStored = true;
  for (const { index, id, created, taken, isFull, missingDefinition } of rows) {
    if (missingDefinition !== null) definitionsAreStored = false;
    else {
      results[index] = {
        id: id ?? '',
        created: created === true,
        taken: taken ?? 0,
        isFull: isFull === true,
      };
    }
  }
  return { starts: results, definitionsAreStored };
}
