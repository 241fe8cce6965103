import type { StoredError } from '../../../errors/index.js';
import { boolean, columns, epochMs, integer, long, orNull, parsed } from './columns.js';
import { NO_COLUMNS, type Statement } from './statement.js';
import type {
  RetentionNote,
  RetentionRules,
  RetentionState,
  RetentionTurn,
} from '../../port/index.js';

const TURN = columns({
  isMine: boolean,
  heldForMs: long,
  now: long,
  rules: parsed<RetentionRules>({}),
  failures: integer,
});

/**
 * Takes the turn: `$1` holder, `$2` for how long in milliseconds, `$3` rules. Of two that take it at the same time, the
 * second waits for the row and finds it taken.
 *
 * The rules are stored whosever turn it is, because a process that never has the turn may be the only one with their code.
 */
export const takeRetentionTurn: Statement<RetentionTurn> = {
  name: 'take_retention_turn',
  columns: TURN,
  text: ({ retention, clock }) => {
    const isFree = `(r.holder IS NULL OR r.holder = $1::uuid OR r.held_until <= ${clock.now})`;
    const until = `${clock.now} + $2::bigint * interval '1 millisecond'`;
    const heldFor = (row: string): string =>
      `CASE WHEN ${row}.holder = $1::uuid THEN 0 ELSE greatest(0, ceil(extract(epoch FROM ${row}.held_until - ${clock.now}) * 1000)) END::bigint`;
    const shown = (row: string): string =>
      TURN.select({
        isMine: `${row}.holder IS NOT DISTINCT FROM $1::uuid`,
        heldForMs: heldFor(row),
        now: epochMs(clock.now),
        rules: `${row}.rules::json`,
        failures: `${row}.failures`,
      });
    return `WITH taken AS (
    INSERT INTO ${retention} AS r (holder, held_until, rules) VALUES ($1::uuid, ${until}, $3::jsonb)
    ON CONFLICT (id) DO UPDATE SET rules = r.rules || EXCLUDED.rules,
      holder = CASE WHEN ${isFree} THEN EXCLUDED.holder ELSE r.holder END,
      held_until = CASE WHEN ${isFree} THEN EXCLUDED.held_until ELSE r.held_until END
    WHERE ${isFree} OR NOT r.rules @> EXCLUDED.rules
    RETURNING r.*
  )
  SELECT ${shown('t')} FROM taken t
  UNION ALL
  SELECT ${shown('r')} FROM ${retention} r WHERE NOT EXISTS (SELECT FROM taken)`;
  },
};

/** Keeps the turn or gives it back: `$1` holder, `$2` for how long, `$3` deleted, `$4` ended, `$5` and `$6` the failure. */
export const noteRetention: Statement = {
  name: 'note_retention',
  columns: NO_COLUMNS,
  text: ({ retention, clock }) => `UPDATE ${retention} r
  SET holder = CASE WHEN $2::bigint > 0 THEN r.holder END,
      held_until = CASE WHEN $2::bigint > 0 THEN ${clock.now} + $2::bigint * interval '1 millisecond' END,
      deleted = r.deleted + $3::bigint,
      lap_at = CASE WHEN $4::boolean THEN ${clock.now} ELSE r.lap_at END,
      failures = CASE WHEN NOT $5::boolean THEN r.failures WHEN $6::json IS NULL THEN 0 ELSE r.failures + 1 END,
      failure = CASE WHEN $5::boolean THEN $6::json ELSE r.failure END,
      failed_at = CASE WHEN NOT $5::boolean THEN r.failed_at WHEN $6::json IS NOT NULL THEN ${clock.now} END
  WHERE r.id = 1 AND r.holder = $1::uuid`,
};

export function noteValues(note: RetentionNote): unknown[] {
  const { holder, holdMs, deleted, hasEnded, failure } = note;
  const json = failure === undefined || failure === null ? null : JSON.stringify(failure);
  return [holder, holdMs, deleted, hasEnded, failure !== undefined, json];
}

const STATE = columns({
  lapAt: orNull(long),
  deleted: long,
  failures: integer,
  failure: parsed<StoredError | null>(null),
  failedAt: orNull(long),
});

export const readRetention: Statement<RetentionState> = {
  name: 'read_retention',
  columns: STATE,
  text: ({ retention }) =>
    `SELECT ${STATE.select({
      lapAt: epochMs('r.lap_at'),
      deleted: 'r.deleted',
      failures: 'r.failures',
      failure: 'r.failure',
      failedAt: epochMs('r.failed_at'),
    })} FROM ${retention} r`,
};
