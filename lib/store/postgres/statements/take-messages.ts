import { columns, integer, json, orNull, text } from './columns.js';
import { plainArray } from './encoding.js';
import { lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import type { MessageWait, TakeReply } from '../../port/index.js';

/** How far a look has come. The last stage of a wait counts. */
const STAGES = ['found', 'held', 'open', 'taken'] as const;

const TAKEN = columns({ index: integer, stage: text, result: orNull(json) });
type TakenRow = ReturnType<typeof TAKEN.decode>[number];

/**
 * Finds the oldest message that each wait accepts, and takes it: the signal is consumed and the checkpoint is Done in one
 * statement, fenced by the claim token of the task. So a message is taken exactly once, and a task that runs again finds
 * its result.
 *
 * **Nothing found.** Then nothing is locked or written: most looks come right after the checkpoint was opened.
 *
 * **Locks.** The task's own row first, then the checkpoint, then the signal. The checkpoint is compared under its lock,
 * because an earlier send of the same look, whose reply was lost, may end it at this moment: with the status of the
 * snapshot, this one would take a second message.
 *
 * **Two takers.** Of two waits for one signal, the second waits for the lock of the first, and then finds the signal
 * consumed. It may have to look again, because its snapshot does not tell whether there is another one.
 *
 * **Events** are not consumed. A task's next wait for the same event gets one that the task has not had.
 */
export const takeMessages: Statement<TakenRow> = {
  name: 'take_messages',
  columns: TAKEN,
  text: (tables) => `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]),
      json_array_elements_text($5::json), json_array_elements($6::json)
    ) WITH ORDINALITY AS i(execution_id, task_no, item_no, claim_token, step, listens, ord)
  ), found AS MATERIALIZED (
    SELECT i.*, m.* FROM item i CROSS JOIN LATERAL (
      SELECT s.id, c.label, c.name AS event_name, c.key AS event_key
      FROM json_to_recordset(i.listens) AS c(label text, name text, key text, "lookbackMs" bigint)
        CROSS JOIN LATERAL (${oldestSignal(tables)} UNION ALL ${firstEvent(tables)}) s
      ORDER BY s.id LIMIT 1
    ) m
    ORDER BY ${lockOrder('i.')}
  ), held AS MATERIALIZED (
    SELECT f.*, l.counts FROM found f CROSS JOIN LATERAL (
      SELECT t.attempt > 0 OR t.recovery_attempts > 0 AS counts FROM ${tables.task} t
      WHERE ${taskOf('f')} AND t.claim_token = f.claim_token
      FOR NO KEY UPDATE
    ) l
  ), open AS MATERIALIZED (
    SELECT h.* FROM held h CROSS JOIN LATERAL (
      SELECT FROM ${tables.step} st WHERE ${stepOf('h')} AND st.status || '' = 'Open' FOR NO KEY UPDATE
    ) l
  ), taken AS (
    UPDATE ${tables.signal} s SET consumed = true, delivered = true
    FROM (SELECT DISTINCT ON (id) * FROM open WHERE event_key IS NULL ORDER BY id, ord) o
    WHERE s.id = ANY (ARRAY[o.id]) AND NOT s.consumed
    RETURNING o.*, s.payload
  ), ended AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.label IS NULL THEN a.payload
                     ELSE json_build_object('name', a.label, 'payload', a.payload) END AS result
    FROM (
      SELECT * FROM taken
      UNION ALL
      SELECT o.*, s.payload FROM open o CROSS JOIN LATERAL (
        SELECT s.payload FROM ${tables.signal} s WHERE s.id = ANY (ARRAY[o.id])
      ) s
      WHERE o.event_key IS NOT NULL
    ) a
  ), done AS (
    UPDATE ${tables.step} st
    SET status = 'Done', result = e.result, signal_id = e.id, completed_at = ${tables.clock.now},
        event_name = e.event_name, event_key = coalesce(e.event_key, e.execution_id::text)
    FROM ended e WHERE ${stepOf('e')}
  ), closed AS (
    DELETE FROM ${tables.step} st
    USING (
      SELECT e.execution_id, e.task_no, e.item_no, e.step || '##' || c.label AS step
      FROM ended e CROSS JOIN LATERAL json_to_recordset(e.listens) AS c(label text)
      WHERE e.label IS NOT NULL
    ) e WHERE ${stepOf('e')}
  ), progress AS (
    UPDATE ${tables.task} t SET attempt = 0, recovery_attempts = 0
    FROM (SELECT DISTINCT execution_id, task_no, item_no FROM ended WHERE counts) e WHERE ${taskOf('e')}
  )
  ${STAGES.map((stage) => `SELECT ${stageOf(stage)}`).join(' UNION ALL ')}`,
};

function stageOf(stage: (typeof STAGES)[number]): string {
  const from = stage === 'taken' ? 'ended' : stage;
  const result = stage === 'taken' ? 'result' : 'NULL::json';
  const row = { index: '(ord - 1)::integer', stage: `'${stage}'`, result };
  return `${TAKEN.select(row)} FROM ${from}`;
}

function stepOf(row: string): string {
  return (
    `st.execution_id = ANY (ARRAY[${row}.execution_id]) AND st.task_no = ${row}.task_no ` +
    `AND st.item_no = ${row}.item_no AND st.name = ${row}.step`
  );
}

/** The oldest signal in the mailbox of item `i` that choice `c` accepts. */
function oldestSignal({ signal }: TenantTables): string {
  return `(SELECT s.id FROM ${signal} s
      WHERE c.key IS NULL AND s.execution_id = i.execution_id AND s.name = c.name AND NOT s.consumed
        AND s.execution_id IS NOT NULL
      ORDER BY s.id LIMIT 1)`;
}

/**
 * The first event that choice `c` accepts: one that the task has not had, and that is not too old.
 *
 * The ids of the events that it had are compared one by one. Ids are not in the order of commits, so an event with a lower
 * id than theirs may have become visible only since.
 *
 * One that came while the wait was open counts however long it is kept: the task may have had to wait for a slot.
 */
function firstEvent({ signal, step, execution, clock }: TenantTables): string {
  const openedAt = `(SELECT st.started_at FROM ${step} st WHERE ${stepOf('i')})`;
  return `(SELECT s.id FROM ${signal} s
      WHERE c.key IS NOT NULL AND s.execution_id IS NULL AND s.name = c.name AND s.key = c.key
        AND s.id <> ALL (ARRAY(
          SELECT p.signal_id FROM ${step} p
          WHERE p.execution_id = i.execution_id AND p.task_no = i.task_no AND p.item_no = i.item_no
            AND p.event_name = c.name AND p.event_key = c.key AND p.status = 'Done' AND p.signal_id IS NOT NULL))
        AND (s.expires_at > ${clock.now} OR s.created_at >= ${openedAt})
        AND s.created_at >= CASE WHEN c."lookbackMs" IS NULL
          THEN (SELECT x.created_at FROM ${execution} x WHERE x.id = i.execution_id)
          ELSE ${openedAt} - c."lookbackMs" * interval '1 millisecond' END
      ORDER BY s.created_at, s.id LIMIT 1)`;
}

export function takeValues(waits: readonly MessageWait[]): unknown[] {
  return [
    plainArray(waits.map(({ executionId }) => executionId)),
    plainArray(waits.map(({ taskNo }) => taskNo)),
    plainArray(waits.map(({ itemNo }) => itemNo)),
    plainArray(waits.map(({ token }) => token)),
    JSON.stringify(waits.map(({ step }) => step)),
    JSON.stringify(waits.map(({ listens }) => listens)),
  ];
}

const REPLIES = { found: 'refused', held: 'over', open: 'contended' } as const;

/** By index of the waits. */
export function takeRepliesOf(rows: readonly TakenRow[], count: number): TakeReply[] {
  const stages = new Array<number>(count).fill(-1);
  const results = new Map<number, string>();
  for (const { index, stage, result } of rows) {
    stages[index] = Math.max(
      stages[index] ?? -1,
      STAGES.findIndex((each) => each === stage),
    );
    if (stage === 'taken') results.set(index, result ?? 'null');
  }
  return stages.map((stage, index): TakeReply => {
    const name = STAGES[stage];
    if (name === undefined) return { kind: 'nothing' };
    if (name === 'taken') return { kind: 'taken', result: results.get(index) ?? 'null' };
    return { kind: REPLIES[name] };
  });
}
