import { unsettledBy } from './admission-slots.js';
import { bigint, columns, long, orNull, text, uuid } from './columns.js';
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
import type {
  DebouncedStart,
  DebounceFate,
  DebounceReply,
  DebounceResult,
} from '../../port/index.js';

const DEBOUNCED = columns({
  index: long,
  id: orNull(uuid),
  fate: orNull(text),
  missingDefinition: orNull(bigint),
});
type DebouncedRow = ReturnType<typeof DEBOUNCED.decode>[number];

/**
 * Starts executions, each of which replaces the input of the execution with its key if that has not begun, and moves its time.
 *
 * **The last update is never lost.** The tasks of the execution are locked first, then its row, and the row says under the lock
 * whether it has begun. A claim that begins it locks in the same order: either it comes before, and the start finds a begun
 * execution and creates another one; or it comes after, and runs with the new input. The claim knows nothing of this: the
 * start takes the key from an execution that has begun or ended.
 *
 * **One for each key.** A unique index on the key. Of two first starts at the same time one creates nothing, and is sent again.
 *
 * **Sent again.** A start that finds an execution with its own id has created it, and changes nothing. One that has replaced
 * an input has left its id in `debounced_by` of that execution. There it finds it again, also if the execution has begun or
 * ended since, or if another one has the key, and changes nothing: otherwise one input would run in two executions.
 *
 * An execution that is pinned to another definition keeps its input, which that definition may need, and loses the key.
 * One that has the slot of its admission keeps its time and its slot.
 *
 * **Lock order.** Tasks, executions, and then the keys of new ones.
 */
function debounceText(tables: TenantTables): string {
  const { clock } = tables;
  const dueAt = (since: string): string =>
    `least(${clock.now} + i.wait_ms * interval '1 millisecond', ${since} + i.max_ms * interval '1 millisecond')`;
  return `WITH i AS MATERIALIZED (
    SELECT i.*, EXISTS (SELECT FROM ${tables.execution} x WHERE ${executionOf('i.id')}) AS is_own,
           (SELECT x.id FROM ${tables.execution} x
            WHERE x.debounced_by = i.id AND x.debounced_by IS NOT NULL LIMIT 1) AS changed FROM ROWS FROM (
      ${START_COLUMNS}, json_array_elements_text($17::json), unnest($18::bigint[]),
      unnest($19::bigint[]), json_array_elements_text($20::json), json_array_elements_text($21::json),
      json_array_elements_text($22::json), json_array_elements_text($24::json)
    ) WITH ORDINALITY AS i(${startNames()}, debounce_key, wait_ms, max_ms, tags, limit_keys, admission_key, trace_context, ord)
  ), found AS MATERIALIZED (
    SELECT i.ord, i.debounce_key, i.id AS start_id, x.id, x.definition_id = i.definition_id AS is_same
    FROM i CROSS JOIN LATERAL (
      SELECT x.id, x.definition_id FROM ${tables.execution} x
      WHERE x.workflow = i.workflow AND x.debounce_key = i.debounce_key AND x.debounce_key IS NOT NULL LIMIT 1
    ) x WHERE NOT i.is_own AND i.changed IS NULL
  ), ${lockedTasksClause(tables)}, held AS MATERIALIZED (
    SELECT f.ord, f.id, x.created_at, x.admitted, x.is_changed
    FROM (SELECT * FROM found ORDER BY id) f CROSS JOIN LATERAL (
      SELECT x.created_at, x.admitted, (x.debounced_by = f.start_id) IS TRUE AS is_changed FROM ${tables.execution} x
      WHERE ${executionOf('f.id')} AND ((x.debounced_by = f.start_id) IS TRUE
        OR coalesce(x.debounce_key, '') = f.debounce_key
        AND (x.started_at IS NOT NULL OR x.completed_at IS NOT NULL) IS FALSE)
      FOR NO KEY UPDATE
    ) x WHERE f.is_same AND (SELECT count(*) FROM locked_task) >= 0
  ), updated AS (
    UPDATE ${tables.execution} x
    SET input = i.input::json, tags = i.tags::jsonb, trace_context = i.trace_context, debounced_by = i.id,
        run_at = CASE WHEN h.admitted THEN x.run_at ELSE ${dueAt('h.created_at')} END,
        admission_key = CASE WHEN h.admitted THEN x.admission_key ELSE i.admission_key END
    FROM held h JOIN i ON i.ord = h.ord WHERE ${executionOf('h.id')} AND NOT h.is_changed
  ), updated_task AS (
    UPDATE ${tables.task} t
    SET run_at = CASE WHEN t.run_at IS NULL OR h.admitted THEN t.run_at ELSE ${dueAt('h.created_at')} END,
        limit_key = i.limit_keys::jsonb ->> t.task_no::text
    FROM locked_task l JOIN held h ON h.id = l.execution_id JOIN i ON i.ord = h.ord WHERE ${taskOf('l')} AND NOT h.is_changed
  ), released AS (
    UPDATE ${tables.execution} x SET debounce_key = NULL
    FROM (SELECT id FROM found WHERE ord NOT IN (SELECT ord FROM held) ORDER BY 1) f
    WHERE ${executionOf('f.id')}
    RETURNING x.id
  ), e AS MATERIALIZED (
    SELECT i.*, ${dueAt(clock.now)} AS due_at FROM i
    WHERE NOT i.is_own AND i.changed IS NULL AND i.ord NOT IN (SELECT ord FROM held) AND (SELECT count(*) FROM released) >= 0
    ORDER BY i.ord
  ), execution AS (
    INSERT INTO ${tables.execution} (id, workflow, definition_id, status, priority, input, remaining_leaves,
                                     timeout_ms, run_at, tags, debounce_key, admission_key, trace_context, unsettled)
    SELECT id, workflow, definition_id, 'Pending', priority, input::json, leaves, timeout_ms, due_at, tags::jsonb,
           debounce_key, admission_key, trace_context, ${unsettledBy('admission_key')}
    FROM e
    ON CONFLICT DO NOTHING
    RETURNING id
  ), task AS (
    ${insertUnclaimedTasks(tables, 'e.due_at')}
    WHERE (e.id IN (SELECT id FROM execution)) IS TRUE
  )
  SELECT ${DEBOUNCED.selectSome({
    index: 'i.ord - 1',
    id: 'coalesce(h.id, i.changed, i.id)',
    fate: `CASE WHEN h.id IS NOT NULL OR i.changed IS NOT NULL THEN 'updated'
                WHEN i.is_own OR i.id IN (SELECT id FROM execution) THEN 'created' ELSE 'raced' END`,
  })} FROM i LEFT JOIN held h ON h.ord = i.ord
  UNION ALL SELECT ${DEBOUNCED.selectSome({ index: '-1', missingDefinition: 'u.id' })} ${fromMissingDefinitions(tables, '$23')}`;
}

export const debounceExecutions: Statement<DebouncedRow> = {
  name: 'debounce_executions',
  columns: DEBOUNCED,
  text: debounceText,
};

export function debounceValues(starts: readonly DebouncedStart[]): unknown[] {
  const items = starts.map(({ item }) => item);
  const { values, plans } = startColumns(items);
  const labels = labelColumns(items);
  return [
    ...values,
    JSON.stringify(starts.map(({ key }) => key)),
    plainArray(starts.map(({ waitMs }) => waitMs)),
    plainArray(starts.map(({ maxMs }) => maxMs)),
    labels.tags,
    labels.limitKeys,
    labels.admissionKeys,
    plainArray(plans.map(({ definitionId }) => definitionId)),
    labels.traces,
  ];
}

export function debounceReplyOf(
  rows: readonly DebouncedRow[],
  starts: readonly DebouncedStart[],
): DebounceReply {
  const results = starts.map(({ item }): DebounceResult => ({ fate: 'raced', id: item.id }));
  let definitionsAreStored = true;
  for (const { index, id, fate, missingDefinition } of rows) {
    if (missingDefinition !== null) definitionsAreStored = false;
    else results[index] = { fate: (fate ?? 'raced') as DebounceFate, id: id ?? '' };
  }
  return { starts: results, definitionsAreStored };
}
