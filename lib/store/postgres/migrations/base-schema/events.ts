import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

export const EVENTS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_execution_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL,
  task_no integer,
  item_no integer,
  kind text NOT NULL,
  detail jsonb,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX cloacina_execution_event_execution_idx
  ON ${schema}.cloacina_execution_event (execution_id, id);

CREATE TABLE ${schema}.cloacina_recovery_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  item_no integer NOT NULL DEFAULT 0,
  task_name text,
  kind text NOT NULL,
  cause text NOT NULL,
  previous_owner uuid,
  orphaned_for_ms bigint,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
CREATE INDEX cloacina_recovery_event_created_idx
  ON ${schema}.cloacina_recovery_event (created_at, id);
CREATE INDEX cloacina_recovery_event_execution_idx
  ON ${schema}.cloacina_recovery_event (execution_id, id);
`,
  comments: [
    [
      'TABLE',
      'execution_event',
      'Events that the rows do not show: retries, failures, skips, first deferrals, cancels, pauses, conflicts, manual retries, ends.',
    ],
    [
      'COLUMN',
      'execution_event.item_no',
      'The item of the task, 0 for the task itself. NULL for an event of the execution.',
    ],
    [
      'COLUMN',
      'execution_event.xid',
      'The transaction that wrote the event. Ids are not in the order of commits, so a reader that must not miss an event orders by xid and id, and stops at the oldest open transaction. A move to another server writes the events with transactions of that server: such a reader begins anew there.',
    ],
    ['TABLE', 'recovery_event', 'Tasks that were taken from lost processes.'],
    ['COLUMN', 'recovery_event.kind', 'recovered or abandoned.'],
    ['COLUMN', 'recovery_event.cause', 'lockGone, leaseOver, boot, manual or reconciled.'],
    [
      'COLUMN',
      'recovery_event.orphaned_for_ms',
      'Time from the loss, as far as known, to the recovery.',
    ],
  ],
};
