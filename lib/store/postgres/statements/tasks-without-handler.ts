import { CLAIMABLE } from './claimable-tasks.js';
import { bigint, columns, integer, long, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { limitedDefinitions, LIMITED_WAITING } from './limited-definitions.js';
import type { Statement } from './statement.js';
import type { BlockedTaskRow, StrandedTaskRow } from '../../port/index.js';

/** A condition: task `t` waits to be claimed, and has no limit. It is that of the index of due times. */
const IS_WAITING = `${CLAIMABLE} AND t.task_no >= 0`;

/** A condition: the task's definition is not in $1, or the task is one of the pairs $2, $3. */
const HAS_NO_HANDLER = `(NOT t.definition_id = ANY ($1::bigint[])
      OR (cardinality($2::bigint[]) > 0 AND EXISTS (
        SELECT FROM unnest($2::bigint[], $3::integer[]) AS x(definition_id, task_no)
        WHERE x.definition_id = t.definition_id AND x.task_no = t.task_no)))`;

/** Max number of tasks that are listed. */
const MAX_LISTED = 1_000;

const BLOCKED = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  definitionId: bigint,
});

/**
 * Due tasks for which this process has no handler, the longest waiting first.
 *
 * Those with a limit are looked for by definition. By their due times, the waiting tasks of full keys would come first, and
 * all of them would be read.
 */
export const listBlocked: Statement<BlockedTaskRow> = {
  name: 'list_blocked',
  columns: BLOCKED,
  text: (tables) => {
    const due = `t.run_at <= ${tables.clock.statement} AND ${HAS_NO_HANDLER}`;
    const of = `SELECT t.execution_id, t.task_no, t.item_no, t.definition_id, t.run_at FROM ${tables.task} t`;
    return `WITH RECURSIVE ${limitedDefinitions(tables)}
  SELECT ${BLOCKED.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    definitionId: 't.definition_id',
  })}
  FROM (
    (${of} WHERE ${IS_WAITING} AND ${due} ORDER BY t.run_at LIMIT ${MAX_LISTED})
    UNION ALL
    SELECT t.* FROM limited l CROSS JOIN LATERAL (
      ${of} WHERE t.definition_id = l.id AND ${LIMITED_WAITING} AND ${due} ORDER BY t.run_at LIMIT ${MAX_LISTED}
    ) t
  ) t
  ORDER BY t.run_at, t.execution_id, t.task_no, t.item_no LIMIT ${MAX_LISTED}`;
  },
};

const STRANDED = columns({ definitionId: bigint, taskNo: integer, count: long });

/**
 * The tasks of `listBlocked` that have been due for a minute, counted. Tasks that are never claimed wait longest, so they
 * are among the first thousand, however many wait behind them: of all tasks without a limit, and of those with a limit in
 * each definition.
 */
export const listStranded: Statement<StrandedTaskRow> = {
  name: 'list_stranded',
  columns: STRANDED,
  text: (tables) => {
    const due = `t.run_at <= ${tables.clock.statement} - interval '1 minute'`;
    const of = `SELECT t.definition_id, t.task_no FROM ${tables.task} t`;
    return `WITH RECURSIVE ${limitedDefinitions(tables)}
  SELECT ${STRANDED.select({
    definitionId: 't.definition_id',
    taskNo: 't.task_no',
    count: 'count(*)',
  })}
  FROM (
    (${of} WHERE ${IS_WAITING} AND ${due} ORDER BY t.run_at LIMIT ${MAX_LISTED})
    UNION ALL
    SELECT t.* FROM limited l CROSS JOIN LATERAL (
      ${of} WHERE t.definition_id = l.id AND ${LIMITED_WAITING} AND ${due} ORDER BY t.run_at LIMIT ${MAX_LISTED}
    ) t
  ) t
  WHERE ${HAS_NO_HANDLER}
  GROUP BY t.definition_id, t.task_no ORDER BY count(*) DESC, t.definition_id, t.task_no`;
  },
};

/** The parameters: definitions that this process has handlers for, and the tasks in them without a handler. */
export function withoutHandlerValues(
  definitions: readonly string[],
  unknown: readonly (readonly [definition: string, task: number])[],
): unknown[] {
  return [
    plainArray(definitions),
    plainArray(unknown.map(([definition]) => definition)),
    plainArray(unknown.map(([, task]) => task)),
  ];
}
