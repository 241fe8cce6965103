import { recordActions } from './actions.js';
import { columns, epochMs, instant, integer, orNull, text } from './columns.js';
import { NO_COLUMNS, type BulkStatement, type Statement } from './statement.js';

/** A workflow's pause `p`. */
const PAUSE_COLUMNS = {
  workflow: text,
  reason: orNull(text),
  pausedAt: instant,
} as const;

/** Expressions for {@link PAUSE_COLUMNS}. */
export const PAUSE_OF_ROW = {
  workflow: 'p.workflow',
  reason: 'p.reason',
  pausedAt: epochMs('p.paused_at'),
} as const;

const PAUSE = columns(PAUSE_COLUMNS);
type PauseRow = ReturnType<typeof PAUSE.decode>[number];

export const pauseWorkflow: Statement = {
  name: 'pause_workflow',
  columns: NO_COLUMNS,
  text: (tables) => `WITH paused AS (
    INSERT INTO ${tables.pausedWorkflow} AS p (workflow, reason, paused_at)
    VALUES ($1::text, $2::text, ${tables.clock.now})
    ON CONFLICT (workflow) DO UPDATE SET reason = excluded.reason
    RETURNING p.workflow AS subject
  ), ${recordActions(tables, 'paused', { kind: '$3', actor: '$4', reason: '$5', callId: '$6' })} SELECT`,
};

const RESUMED = columns({ workflow: text });

/** Returns a row if the workflow was paused. */
export const resumeWorkflow: Statement<{ workflow: string }> = {
  name: 'resume_workflow',
  columns: RESUMED,
  text: (tables) => `WITH resumed AS (
    DELETE FROM ${tables.pausedWorkflow} WHERE workflow = $1::text RETURNING workflow AS subject
  ), ${recordActions(tables, 'resumed', { kind: '$2', actor: '$3', reason: '$4', callId: '$5' })}
  SELECT ${RESUMED.select({ workflow: 'subject' })} FROM resumed`,
};

export const listPauses: Statement<PauseRow> = {
  name: 'list_pauses',
  columns: PAUSE,
  text: (tables) =>
    `SELECT ${PAUSE.select(PAUSE_OF_ROW)} FROM ${tables.pausedWorkflow} p ORDER BY p.workflow`,
};

const PAUSE_OF_TENANT = columns({ tenant: integer, ...PAUSE_COLUMNS });
type PauseOfTenantRow = ReturnType<typeof PAUSE_OF_TENANT.decode>[number];

/** The pauses of many tenants. Usually there are none, so each part reads an empty table. */
export const readPausesOfAll: BulkStatement<PauseOfTenantRow> = {
  columns: PAUSE_OF_TENANT,
  textFor: (tenants) =>
    tenants
      .map(
        ({ pausedWorkflow }, i) =>
          `SELECT ${PAUSE_OF_TENANT.select({ tenant: String(i), ...PAUSE_OF_ROW })} FROM ${pausedWorkflow} p`,
      )
      .join(' UNION ALL '),
};
