import { columns, integer, long, orNull, text, uuid } from './columns.js';
import { taskOf, type Statement } from './statement.js';
import {
  MAX_ITEM_GROUPS,
  type AwaitedChild,
  type ItemCause,
  type ListeningWait,
  type OpenItems,
} from '../../port/index.js';

const GROUP = columns({
  taskNo: integer,
  cause: text,
  owner: orNull(uuid),
  limitKey: orNull(text),
  count: long,
  first: integer,
  last: integer,
});
type GroupRow = ReturnType<typeof GROUP.decode>[number];

const ofMap = 't.execution_id = $1::uuid AND t.task_no = m.task_no';

/**
 * The items of the maps $2 of execution $1 that have not ended, by cause: among the first $3 of each map and the last $3. Their
 * numbers follow one another, so the primary key finds them, and the statement reads no others.
 *
 * Each map is looked up by itself: with statistics of large maps the planner expects hundreds of rows of one key, and for so
 * much work the server compiles the plan, which takes seconds.
 */
export const readOpenItems: Statement<GroupRow> = {
  name: 'read_open_items',
  columns: GROUP,
  text: (tables) => `SELECT ${GROUP.select({
    taskNo: 'i.task_no',
    cause: 'i.cause',
    owner: 'i.owner',
    limitKey: 'i.limit_key',
    count: 'count(*)',
    first: 'min(i.item_no)',
    last: 'max(i.item_no)',
  })}
  FROM (
    SELECT t.task_no, t.item_no, t.owner, t.limit_key, CASE
      WHEN t.status = 'Running' THEN 'running'
      WHEN t.paused THEN 'paused'
      WHEN t.status = 'NotStarted' THEN 'dependencies'
      WHEN t.run_at <= ${tables.clock.statement} THEN 'due'
      WHEN t.status = 'Waiting' OR t.run_at IS NULL THEN 'waiting'
      WHEN t.deferred_since IS NOT NULL THEN 'condition'
      WHEN t.attempt > 0 THEN 'backoff'
      ELSE 'startTime' END AS cause
    FROM unnest($2::integer[]) AS n(task_no) CROSS JOIN LATERAL (
      SELECT h.task_no, h.item_count FROM ${tables.task} h
      WHERE h.execution_id = $1::uuid AND h.task_no = n.task_no AND h.item_no = 0 LIMIT 1
    ) m CROSS JOIN LATERAL (
      SELECT t.* FROM ${tables.task} t WHERE ${ofMap} AND t.item_no > 0 AND t.item_no <= $3::integer
      UNION ALL
      SELECT t.* FROM ${tables.task} t WHERE ${ofMap} AND t.item_no > greatest($3::integer, abs(m.item_count) - $3::integer)
    ) t
    WHERE t.status IN ('NotStarted', 'Ready', 'Running', 'Waiting')
  ) i
  GROUP BY i.task_no, i.cause, i.owner, i.limit_key
  ORDER BY count(*) DESC, i.task_no, min(i.item_no) LIMIT ${MAX_ITEM_GROUPS}`,
};

export function groupsOf(rows: readonly GroupRow[]): OpenItems[] {
  return rows.map((row) => ({ ...row, cause: row.cause as ItemCause }));
}

const LISTENING = columns({
  executionId: uuid,
  taskNo: integer,
  itemNo: integer,
  name: text,
  eventName: text,
  eventKey: text,
});

export const readListening: Statement<ListeningWait> = {
  name: 'read_listening',
  columns: LISTENING,
  text: (tables) => `SELECT ${LISTENING.select({
    executionId: 't.execution_id',
    taskNo: 't.task_no',
    itemNo: 't.item_no',
    name: 't.name',
    eventName: 't.event_name',
    eventKey: "coalesce(t.event_key, '')",
  })}
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS k(execution_id, task_no, item_no)
    CROSS JOIN LATERAL (
      SELECT t.* FROM ${tables.step} t WHERE ${taskOf('k')} AND t.status = 'Open' AND t.event_name IS NOT NULL
      ORDER BY t.name LIMIT 20) t
  LIMIT 200`,
};

const CHILD = columns({ id: uuid, workflow: text, status: text });

export const readChildren: Statement<AwaitedChild> = {
  name: 'read_awaited_children',
  columns: CHILD,
  text: (tables) =>
    `SELECT ${CHILD.select({ id: 'x.id', workflow: 'x.workflow', status: 'x.status' })}
  FROM ${tables.execution} x WHERE x.id = ANY ($1::uuid[])`,
};

const PAUSED_BY = columns({ actor: orNull(text) });

/** The latest pause of execution $1. */
export const readPausedBy: Statement<{ actor: string | null }> = {
  name: 'read_paused_by',
  columns: PAUSED_BY,
  text: (tables) => `SELECT ${PAUSED_BY.select({ actor: "e.detail ->> 'actor'" })}
  FROM ${tables.event} e WHERE e.execution_id = $1::uuid AND e.kind = 'paused' ORDER BY e.id DESC LIMIT 1`,
};
