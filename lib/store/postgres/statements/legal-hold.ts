import { boolean, columns, text } from './columns.js';
import { executionOf, type Statement } from './statement.js';
import type { HeldExecution } from '../../port/index.js';

const HELD = columns({ workflow: text, changed: boolean });

/**
 * Puts execution `$1` on legal hold, or ends the hold. A deletion locks the row too, and checks the column on the locked
 * row, so it either comes first, and there is no execution, or it finds the hold.
 */
export const holdExecution: Statement<HeldExecution> = {
  name: 'hold_execution',
  columns: HELD,
  text: (tables) => `WITH found AS MATERIALIZED (
    SELECT x.id, x.workflow, x.legal_hold FROM ${tables.execution} x WHERE x.id = $1::uuid FOR NO KEY UPDATE
  ), changed AS (
    UPDATE ${tables.execution} x SET legal_hold = $2::boolean FROM found f
    WHERE ${executionOf('f.id')} AND f.legal_hold <> $2::boolean
    RETURNING x.id
  ), event AS (
    INSERT INTO ${tables.event} (execution_id, kind, detail)
    SELECT id, CASE WHEN $2::boolean THEN 'legalHold' ELSE 'legalHoldReleased' END, jsonb_build_object('reason', $3::text)
      || CASE WHEN $4::text IS NULL THEN '{}' ELSE jsonb_build_object('actor', $4::text) END
    FROM changed
  )
  SELECT ${HELD.select({
    workflow: 'f.workflow',
    changed: 'EXISTS (SELECT FROM changed)',
  })} FROM found f`,
};
