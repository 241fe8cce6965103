import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import { HIGH_CHURN, type TableGroup } from './table-group.js';

/** The workflows that events start, and the starts that are still to be made. */
export const EVENT_STARTS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_event_subscription (
  event_name text NOT NULL,
  workflow text NOT NULL,
  PRIMARY KEY (event_name, workflow)
);

CREATE TABLE ${schema}.cloacina_event_start (
  signal_id bigint NOT NULL,
  workflow text NOT NULL,
  event_name text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  error json,
  due_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  PRIMARY KEY (signal_id, workflow)
) WITH (${HIGH_CHURN});
-- A process looks for the starts that its code can make, the sweep for the first of all.
CREATE INDEX cloacina_event_start_workflow_idx ON ${schema}.cloacina_event_start (workflow, event_name, due_at);
CREATE INDEX cloacina_event_start_due_idx ON ${schema}.cloacina_event_start (due_at);
`,
  comments: [
    [
      'TABLE',
      'event_subscription',
      'The workflows that events of a name start, by the newest definition of each workflow.',
    ],
    [
      'TABLE',
      'event_start',
      'Delivered events that have not yet started an execution of a workflow. Its idempotency key will be event:<signal_id>.',
    ],
    [
      'COLUMN',
      'event_start.attempts',
      'How often a process has taken the row to start the execution.',
    ],
    ['COLUMN', 'event_start.error', 'Why the last try failed: the workflow refused the input.'],
    [
      'COLUMN',
      'event_start.due_at',
      'When a process may take the row: after a failure later, and later while a process is at it.',
    ],
  ],
};
