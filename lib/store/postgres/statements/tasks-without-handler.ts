import { bigint, columns, integer, long, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import type { Statement } from './statement.js';
import type { BlockedTaskRow, StrandedTaskRow } from '../../port/index.js';

const IS_WAITING =
  't.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL AND t.task_no >= 0';

/** A condition: the task's definition is not in $1, or the task is one of the pairs $2, $3. */
const HAS_NO_HANDLER = `(NOT t.definition_id = ANY ($1::bigint[])
      OR (cardinality($2::bigint[]) > 0 AND EXISTS (
        SELECT FROM unnest($2::bigint[], $3::integer[]) AS x(definition_id, task_no)
        WHERE x.definition_id = t.definition_id AND x.task_no = t.task_no)))`;

const BLOCKED = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  definitionId: bigint,
});

/** Due tasks for which this process has no handler, the longest waiting first. */
export const listBlocked: Statement<BlockedTaskRow> = {
  name: 'list_blocked',
  columns: BLOCKED,
  text: (tables) => `SELECT ${BLOCKED.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    definitionId: 't.definition_id',
  })}
  FROM ${tables.task} t
  WHERE t.run_at <= ${tables.clock.statement} AND ${IS_WAITING} AND ${HAS_NO_HANDLER}
  ORDER BY t.run_at LIMIT 1000`,
};

const STRANDED = columns({ definitionId: bigint, taskNo: integer, count: long });

/**
 * The tasks of `listBlocked` that have been due for a minute, counted. Tasks that are never claimed wait longest, so they
 * are among the first thousand, however many wait behind them.
 */
export const listStranded: Statement<StrandedTaskRow> = {
  name: 'list_stranded',
  columns: STRANDED,
  text: (tables) => `SELECT ${STRANDED.select({
    definitionId: 't.definition_id',
    taskNo: 't.task_no',
    count: 'count(*)',
  })}
  FROM (
    SELECT t.definition_id, t.task_no FROM ${tables.task} t
    WHERE t.run_at <= ${tables.clock.statement} - interval '1 minute' AND ${IS_WAITING}
    ORDER BY t.run_at LIMIT 1000
  ) t
  WHERE ${HAS_NO_HANDLER}
  GROUP BY t.definition_id, t.task_no ORDER BY count(*) DESC, t.definition_id, t.task_no`,
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
