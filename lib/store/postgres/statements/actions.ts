import {
  ACTION_DAYS,
  type ActionKind,
  type ActionNote,
  type ActionRecord,
} from '../../port/index.js';
import { bigint, columns, epochMs, instant, orNull, text, uuid } from './columns.js';
import { NO_COLUMNS, type Statement, type TenantTables } from './statement.js';

/** How many old actions a statement deletes that records one. */
const DELETED_AT_ONCE = 10;

/** The places of the parameters of an action. Kind and reason may be null if the actor is. */
interface ActionParameters {
  readonly kind: string;
  readonly actor: string;
  readonly reason: string;
  readonly callId: string;
  /** An expression of `from`, or a parameter. */
  readonly executionId?: string;
}

/**
 * The CTEs that record an action on `f.subject` for each row of `from`, unless its actor is null, and delete some old ones. So
 * the table has an end without a sweep, and calls without an actor write nothing. Locked rows are skipped: a transaction of the
 * application that deletes them may stay open. `from` has one row, and a call that is sent again after a lost reply records nothing.
 */
export function recordActions(
  { action, clock }: TenantTables,
  from: string,
  { kind, actor, reason, callId, executionId = 'NULL' }: ActionParameters,
): string {
  return `acted AS (
    INSERT INTO ${action} (kind, subject, actor, reason, call_id, execution_id, created_at)
    SELECT ${kind}::text, f.subject, ${actor}::text, ${reason}::text, ${callId}::uuid, ${executionId}::uuid, ${clock.now}
    FROM ${from} f WHERE ${actor}::text IS NOT NULL
    ON CONFLICT (call_id) DO NOTHING
  ), forgotten AS (
    DELETE FROM ${action} a WHERE a.id = ANY (ARRAY(
      SELECT o.id FROM ${action} o
      WHERE ${actor}::text IS NOT NULL AND o.created_at < ${clock.now} - interval '${ACTION_DAYS} days'
        AND o.id = ANY (ARRAY(SELECT e.id FROM ${action} e ORDER BY e.id LIMIT ${DELETED_AT_ONCE}))
      FOR UPDATE SKIP LOCKED))
  )`;
}

/** The values of kind, actor, reason and call. */
export function noteValues(note: ActionNote | null | undefined): unknown[] {
  return [note?.kind ?? null, note?.actor ?? null, note?.reason ?? null, note?.callId ?? null];
}

export const recordAction: Statement = {
  name: 'record_action',
  columns: NO_COLUMNS,
  text: (tables) =>
    `WITH ${recordActions(tables, '(SELECT $5::text AS subject)', {
      kind: '$1',
      actor: '$2',
      reason: '$3',
      callId: '$4',
      executionId: '$6',
    })} SELECT`,
};

const ACTION = columns({
  id: bigint,
  kind: text as typeof text & { decode: (value: string | null) => ActionKind },
  subject: text,
  actor: text,
  reason: orNull(text),
  executionId: orNull(uuid),
  at: instant,
});

/** The index has the begin of the actor. */
const BY_ACTOR = 'left(a.actor, 100) = left($2::text, 100) AND a.actor = $2::text';

/** Conditions of a list by the part of its statement's name. Each has its own statement, so that a generic plan uses its index. */
const CONDITIONS = {
  all: '$1::text IS NULL AND $2::text IS NULL',
  of_subject: 'a.subject = $1::text AND $2::text IS NULL',
  of_actor: `$1::text IS NULL AND ${BY_ACTOR}`,
  of_both: `a.subject = $1::text AND ${BY_ACTOR}`,
} as const;

type Conditions = keyof typeof CONDITIONS;

/** The id as the index of the conditions has it, so that no other index has the order. */
const IDS: Readonly<Record<Conditions, string>> = {
  all: 'a.id',
  of_subject: '(a.id + 0)',
  of_actor: '(a.id + 0)',
  of_both: '(0 + a.id)',
};

/** The largest bigint. An omitted bound must be a bound too: a generic plan can't use the index for `$3 IS NULL OR …`. */
const MAX_ID = '9223372036854775807';

/** The newest first. The ids of actions follow one another as people act, so their order is that of the times. */
function listOf(conditions: Conditions): Statement<ActionRecord> {
  const id = IDS[conditions];
  return {
    name: `list_actions_${conditions}`,
    columns: ACTION,
    text: ({ action }) => `SELECT ${ACTION.select({
      id: 'a.id',
      kind: 'a.kind',
      subject: 'a.subject',
      actor: 'a.actor',
      reason: 'a.reason',
      executionId: 'a.execution_id',
      at: epochMs('a.created_at'),
    })}
  FROM ${action} a
  WHERE ${CONDITIONS[conditions]} AND ${id} < coalesce($3::bigint, ${MAX_ID})
  ORDER BY ${id} DESC LIMIT $4::integer`,
  };
}

export const LIST_ACTIONS: Readonly<Record<Conditions, Statement<ActionRecord>>> = {
  all: listOf('all'),
  of_subject: listOf('of_subject'),
  of_actor: listOf('of_actor'),
  of_both: listOf('of_both'),
};

export function listActionsBy(
  subject: string | null,
  actor: string | null,
): Statement<ActionRecord> {
  if (subject === null) return LIST_ACTIONS[actor === null ? 'all' : 'of_actor'];
  return LIST_ACTIONS[actor === null ? 'of_subject' : 'of_both'];
}
