import { bigint, boolean, columns, integer, orNull, text, uuid } from './columns.js';
import { jsonColumn, plainArray } from './encoding.js';
import { lockTimeout } from './lock-timeout.js';
import { executionOf, type Statement, type TenantTables } from './statement.js';
import type { Message, SendReplies, SendReply } from '../../port/index.js';

const SENT = columns({
  index: integer,
  executionId: orNull(uuid),
  status: orNull(text),
  isStored: boolean,
  /** The id of a new message. Such a row has no other column. */
  id: orNull(bigint),
});
type SentRow = ReturnType<typeof SENT.decode>[number];

export const UNFINISHED = "('Pending', 'Running', 'Paused', 'Finishing')";

/**
 * The CTE that adds to each row of `item` the execution that it is for: the one with the id, or the one with the key.
 *
 * With LIMIT 1, the look-up by key stays a subquery: as a join, a plan may read the whole index of the keys.
 */
export function targetClause({ execution }: TenantTables): string {
  return `target AS MATERIALIZED (
    SELECT i.*, coalesce(x.id, k.id) AS execution_id, coalesce(x.status, k.status) AS status
    FROM item i
      LEFT JOIN LATERAL (
        SELECT x.id, x.status FROM ${execution} x WHERE ${executionOf('i.id')}
      ) x ON true
      LEFT JOIN LATERAL (
        SELECT x.id, x.status FROM ${execution} x
        WHERE x.workflow = i.workflow AND x.idempotency_key = i.workflow_key AND x.idempotency_key IS NOT NULL
        LIMIT 1
      ) k ON true
  )`;
}

/**
 * A column: whether an earlier send has stored the signal of row `t`. With EXISTS, a plan may read all signals once, to look
 * the rows up in memory.
 */
export function wasSent({ signal }: TenantTables): string {
  return `(
      SELECT true FROM ${signal} s
      WHERE s.execution_id = t.execution_id AND s.name = t.name AND s.idempotency_key = t.idempotency_key
        AND s.execution_id IS NOT NULL AND s.idempotency_key IS NOT NULL
      LIMIT 1) IS TRUE`;
}

interface SendVariant {
  /** Whether the statement limits its wait for an idempotency key that another transaction is inserting. */
  readonly bounded?: boolean;
  /**
   * Whether the transaction may stay open. An execution that starts before its commit misses no event in it, so the
   * event's time is that of its delivery, and infinity until then.
   */
  readonly open?: boolean;
  /** Whether some signal has an actor. Others are sent without the event, and the parameter. */
  readonly attributed?: boolean;
}

/**
 * Stores signals and events. It only inserts: in a caller's transaction, which may stay open, it must not lock a row that
 * the engine updates. Outside of one it does not look for listening tasks either, because it would look with a snapshot from
 * before its own commit; a task that begins to wait at the same time would not see the message, and would not be seen.
 *
 * It also reads the execution of each signal, and stores nothing for one that is unknown or has ended. A signal that an
 * earlier send stored counts as stored, even if the execution has ended since: the sender only repeats itself.
 */
function sendText(tables: TenantTables, variant: SendVariant): string {
  const { bounded = false, open = false, attributed = false } = variant;
  const told = `, told AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT t.execution_id, 'signalled', jsonb_build_object('signal', t.name, 'actor', t.actor) FROM target t
    WHERE t.event_key IS NULL AND t.actor IS NOT NULL AND t.status IN ${UNFINISHED} AND NOT ${wasSent(tables)}
    ORDER BY t.ord
  )`;
  return `WITH item AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
      unnest($1::uuid[]), json_array_elements_text($2::json), json_array_elements_text($3::json),
      json_array_elements_text($4::json), json_array_elements_text($5::json), json_array_elements($6::json),
      json_array_elements_text($7::json), unnest($8::bigint[])${attributed ? ', json_array_elements_text($9::json)' : ''}
    ) WITH ORDINALITY AS i(id, workflow, workflow_key, name, event_key, payload, idempotency_key, keep_ms${attributed ? ', actor' : ''}, ord)
  ), ${targetClause(tables)}, sent AS (
    INSERT INTO ${tables.signal} (execution_id, name, key, payload, idempotency_key, created_at, expires_at)
    SELECT execution_id, name, event_key, payload, idempotency_key,
           ${open ? "'infinity'" : tables.clock.now}, ${tables.clock.now} + keep_ms * interval '1 millisecond'
    FROM target WHERE (event_key IS NOT NULL OR status IN ${UNFINISHED})${bounded ? ` AND ${lockTimeout(attributed ? '$10' : '$9')}` : ''}
    ORDER BY ord
    ON CONFLICT DO NOTHING
    RETURNING id
  )${attributed ? told : ''}
  SELECT ${SENT.selectSome({
    index: '(t.ord - 1)::integer',
    executionId: 't.execution_id',
    status: 't.status',
    isStored: `CASE WHEN t.event_key IS NOT NULL OR t.status IN ${UNFINISHED} THEN true ELSE ${wasSent(tables)} END`,
  })} FROM target t
  UNION ALL SELECT ${SENT.selectSome({ id: 'id' })} FROM sent`;
}

function statement(name: string, variant: SendVariant): Statement<SentRow> {
  return { name, columns: SENT, text: (tables) => sendText(tables, variant) };
}

/** For messages whose keys no other transaction has. */
export const sendMessages = statement('send_messages', {});

/** For idempotency keys that callers chose. */
export const sendMessagesWithin = statement('send_messages_within', { bounded: true });

/** For a caller's transaction. */
export const sendMessageIn = statement('send_message_in', { open: true });

/** {@link sendMessagesWithin} and {@link sendMessageIn} for signals with an actor. */
export const sendAttributedWithin = statement('send_attributed_within', {
  bounded: true,
  attributed: true,
});
export const sendAttributedIn = statement('send_attributed_in', { open: true, attributed: true });

/** Whether a message has an actor. */
export function isAttributed(message: Message): boolean {
  return message.kind === 'signal' && typeof message.actor === 'string';
}

/** The parameters of the statements for signals with an actor, without the lock timeout. */
export function attributedValues(messages: readonly Message[]): unknown[] {
  const actors = messages.map((one) => (one.kind === 'signal' ? (one.actor ?? null) : null));
  return [...sendValues(messages), JSON.stringify(actors)];
}

/** The parameters, without the lock timeout. */
export function sendValues(messages: readonly Message[]): unknown[] {
  const to = messages.map((message) => (message.kind === 'signal' ? message.to : undefined));
  const byKey = to.map((each) => (each !== undefined && 'key' in each ? each : undefined));
  const events = messages.map((message) => (message.kind === 'event' ? message : undefined));
  return [
    plainArray(to.map((each) => (each !== undefined && 'id' in each ? each.id : null))),
    JSON.stringify(byKey.map((each) => each?.workflow ?? null)),
    JSON.stringify(byKey.map((each) => each?.key ?? null)),
    JSON.stringify(messages.map(({ name }) => name)),
    JSON.stringify(events.map((event) => event?.key ?? null)),
    jsonColumn(messages.map(({ payload }) => payload)),
    JSON.stringify(messages.map(({ idempotencyKey }) => idempotencyKey)),
    plainArray(events.map((event) => (event === undefined ? null : Math.ceil(event.keepForMs)))),
  ];
}

export function sendRepliesOf(rows: readonly SentRow[], count: number): SendReplies {
  const replies = Array.from({ length: count }, (): SendReply => ({
    stored: false,
    executionId: null,
    status: null,
  }));
  const ids: string[] = [];
  for (const { id, index, isStored: stored, executionId, status } of rows) {
    if (id !== null) ids.push(id);
    else replies[index] = { stored, executionId, status };
  }
  return { replies, ids };
}
