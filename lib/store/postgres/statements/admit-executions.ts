import {
  firstWaiting,
  slotClauses,
  STILL_WAITS,
  takenClauses,
  WAITS_FOR_TURN,
} from './admission-slots.js';
import { boolean, columns, integer, long, orNull, parsed, text, uuid } from './columns.js';
import { plainArray } from './encoding.js';
import { executionOf, lockOrder, taskOf, type Statement, type TenantTables } from './statement.js';
import {
  ADMIT_NEXT,
  type AdmissionLook,
  type AdmissionReply,
  type Supersedes,
} from '../../port/index.js';

/** A row is a key, or with an id an execution that was admitted, or with `newer` one that is superseded. */
const ADMITTED = columns({
  key: text,
  id: orNull(uuid),
  newer: orNull(uuid),
  definitionId: orNull(text),
  tasks: orNull(integer),
  limitKeys: parsed<readonly string[]>([]),
  more: orNull(boolean),
  isLocked: orNull(boolean),
  tokenInMs: orNull(long),
});
type AdmittedRow = ReturnType<typeof ADMITTED.decode>[number];

const SUPERSEDES: Readonly<Record<Supersedes, number>> = { none: 0, waiting: 1, all: 2 };
/** Max executions of a key that one statement admits, and that it finds to be superseded. */
const MAX_ADMITTED = 200;
const MAX_SUPERSEDED = 200;
/** Waiting executions of a key among which superseded ones are looked for. */
const MAX_COMPARED = 1_000;

/** A condition: task `t` of an execution that waits is ready, and is due once the execution has its slot. */
const IS_HELD_BACK = "t.status = 'Ready' AND t.run_at IS NULL";

/**
 * Admits executions that wait for a slot of their keys: it writes them into the rows of the slots, and makes their tasks due.
 *
 * **Exact.** The row of a key is locked, so one statement at a time admits for it; see {@link slotClauses} for the rest.
 *
 * **No waits.** A key that another statement has locked is left out and reported, and so is an execution whose row or task is
 * locked. So the statement waits for ended executions only, which it locks last and in order.
 *
 * **Superseded.** With `waiting`, the newest of the waiting executions of a key stays. With `all`, as many of the newest stay
 * as the key has slots, of those that run too. The others are reported, and the key admits nothing until they are cancelled:
 * if a newer one began before, an older one could still follow it after a crash.
 *
 * **Lock order.** Slots, tasks, executions.
 */
export const admitExecutions: Statement<AdmittedRow> = {
  name: 'admit_executions',
  columns: ADMITTED,
  text: (tables) => `WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      json_array_elements_text($1::json), unnest($2::integer[]), unnest($3::integer[]), unnest($4::bigint[]),
      unnest($5::integer[]), unnest($6::integer[])
    ) WITH ORDINALITY AS a(limit_key, concurrency, rate, rate_ms, burst, supersedes, turn)
  ), ${slotClauses(tables, true, ['supersedes', 'turn'])}, superseded AS MATERIALIZED (
    ${supersededOf(tables)}
  ), room AS MATERIALIZED (
    SELECT t.*, CASE WHEN t.limit_key IN (SELECT limit_key FROM superseded) THEN 0
                     ELSE greatest(0, least(t.free, t.tokens, ${MAX_ADMITTED})) END AS open
    FROM token t
  ), candidate AS MATERIALIZED (
    SELECT r.limit_key, c.id, n.held_back FROM room r
      CROSS JOIN LATERAL (${firstWaiting(tables, 'r.limit_key')} LIMIT r.open) c
      CROSS JOIN LATERAL (
        SELECT count(*) AS held_back FROM ${tables.task} t
        WHERE t.execution_id = ANY (ARRAY[c.id]) AND ${IS_HELD_BACK}
      ) n
  ), locked_task AS MATERIALIZED (
    SELECT c.limit_key, c.id, c.held_back, l.task_nos, l.item_nos, l.limit_keys
    FROM candidate c CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(task_no), '{}') AS task_nos, array_agg(item_no) AS item_nos,
             json_agg(DISTINCT limit_key) FILTER (WHERE limit_key IS NOT NULL) AS limit_keys
      FROM (
        SELECT t.task_no, t.item_no, t.limit_key FROM ${tables.task} t
        WHERE t.execution_id = ANY (ARRAY[c.id]) AND ${IS_HELD_BACK}
        ORDER BY ${lockOrder('t.')} FOR NO KEY UPDATE SKIP LOCKED
      ) t
    ) l
  ), locked AS MATERIALIZED (
    SELECT l.* FROM locked_task l CROSS JOIN LATERAL (
      SELECT FROM ${tables.execution} x WHERE ${executionOf('l.id')} AND ${STILL_WAITS}
      FOR NO KEY UPDATE SKIP LOCKED
    ) x
    WHERE cardinality(l.task_nos) = l.held_back
  ), due AS (
    UPDATE ${tables.task} t SET run_at = ${tables.clock.now}
    FROM (
      SELECT l.id AS execution_id, u.task_no, u.item_no
      FROM locked l CROSS JOIN LATERAL unnest(l.task_nos, l.item_nos) u(task_no, item_no)
    ) c WHERE ${taskOf('c')}
  ), admitted AS (
    UPDATE ${tables.execution} x SET admitted = true FROM locked l WHERE ${executionOf('l.id')}
    RETURNING x.id, x.generation, x.admission_key, x.definition_id, cardinality(l.task_nos) AS tasks, l.limit_keys
  ), ${takenClauses(tables, 'admitted x', 'room')}, settled AS (
    UPDATE ${tables.execution} x SET unsettled = x.unsettled & ~${ADMIT_NEXT}
    FROM (
      SELECT DISTINCT e.id FROM ROWS FROM (unnest($7::uuid[]), json_array_elements_text($8::json)) AS e(id, limit_key)
      WHERE e.limit_key IN (SELECT limit_key FROM key) ORDER BY 1
    ) e
    WHERE ${executionOf('e.id')} AND x.completed_at IS NOT NULL AND x.unsettled & ${ADMIT_NEXT} = ${ADMIT_NEXT}
      AND (SELECT count(*) FROM admitted) >= 0
  )
  SELECT ${ADMITTED.selectSome({
    key: 'x.admission_key',
    id: 'x.id',
    definitionId: 'x.definition_id::text',
    tasks: 'x.tasks',
    limitKeys: 'x.limit_keys',
  })} FROM admitted x
  UNION ALL
  SELECT ${ADMITTED.selectSome({ key: 'limit_key', id: 'id', newer: 'newer' })} FROM superseded
  UNION ALL
  SELECT ${ADMITTED.selectSome({
    key: 'a.limit_key',
    more: `r.open = ${MAX_ADMITTED} AND c.found = ${MAX_ADMITTED}`,
    isLocked: 'r.limit_key IS NULL OR coalesce(c.found, 0) > coalesce(n.taken, 0)',
    tokenInMs: `CASE WHEN coalesce(n.taken, 0) >= r.tokens
      THEN greatest(0, ceil(extract(epoch FROM r.first + coalesce(n.taken, 0) * r.every - ${tables.clock.now}) * 1000))::bigint END`,
  })}
  FROM asked a LEFT JOIN room r ON r.limit_key = a.limit_key LEFT JOIN taken n ON n.limit_key = a.limit_key
    LEFT JOIN (SELECT c.limit_key, count(*) AS found FROM candidate c GROUP BY 1) c ON c.limit_key = a.limit_key`,
};

/** The executions that newer ones supersede, each with the newest. A key without a token supersedes nothing that runs. */
function supersededOf({ execution, clock }: TenantTables): string {
  return `SELECT k.limit_key, o.id, o.newer FROM token k CROSS JOIN LATERAL (
      SELECT u.id, u.newer FROM (
        SELECT a.id, row_number() OVER newest AS place, first_value(a.id) OVER newest AS newer FROM (
          (SELECT x.id, x.run_at FROM ${execution} x
           WHERE x.admission_key = k.limit_key AND ${WAITS_FOR_TURN} AND x.run_at <= ${clock.statement}
           ORDER BY x.run_at DESC, x.id DESC LIMIT ${MAX_COMPARED})
          UNION ALL
          SELECT h.id, x.run_at FROM unnest(k.h_execution) h(id) CROSS JOIN LATERAL (
            SELECT x.run_at FROM ${execution} x
            WHERE ${executionOf('h.id')} AND x.admitted AND x.completed_at IS NULL AND x.outcome IS NULL LIMIT 1
          ) x
          WHERE k.supersedes = ${SUPERSEDES.all}
        ) a WINDOW newest AS (ORDER BY a.run_at DESC, a.id DESC)
      ) u
      WHERE u.place > CASE k.supersedes WHEN ${SUPERSEDES.waiting} THEN 1 ELSE k.concurrency END
      LIMIT ${MAX_SUPERSEDED}
    ) o
    WHERE k.supersedes > 0 AND (k.tokens > 0 OR k.tokens IS NULL OR k.supersedes = ${SUPERSEDES.waiting})`;
}

/** @param looks - in the order of their keys */
export function admitValues(looks: readonly AdmissionLook[]): unknown[] {
  const numbers = looks.map((look) => look.numbers);
  const ended = looks.flatMap(({ key, ended: ids }) => ids.map((id) => ({ id, key })));
  return [
    JSON.stringify(looks.map(({ key }) => key)),
    plainArray(numbers.map(({ concurrency }) => concurrency)),
    plainArray(numbers.map(({ rate }) => rate?.limit)),
    plainArray(numbers.map(({ rate }) => rate?.perMs)),
    plainArray(numbers.map(({ rate }) => rate?.burst)),
    plainArray(looks.map(({ supersedes }) => SUPERSEDES[supersedes])),
    plainArray(ended.map(({ id }) => id)),
    JSON.stringify(ended.map(({ key }) => key)),
  ];
}

export function admissionReplyOf(rows: readonly AdmittedRow[]): AdmissionReply {
  const admitted = [];
  const superseded = [];
  const keys = [];
  const blocked = new Set(rows.filter(({ newer }) => newer !== null).map(({ key }) => key));
  for (const { key, id, newer, definitionId, tasks, limitKeys, ...found } of rows) {
    if (id === null) {
      const isMore = found.more === true || blocked.has(key);
      const fate = found.isLocked === true ? 'locked' : isMore ? 'more' : 'done';
      keys.push({ key, fate, tokenInMs: found.tokenInMs } as const);
    } else if (newer !== null) superseded.push({ id, key, newer });
    else admitted.push({ id, key, definitionId: definitionId ?? '', tasks: tasks ?? 0, limitKeys });
  }
  return { admitted, superseded, keys };
}
