import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/** Workflows that are paused as a whole. */
export const WORKFLOW_PAUSES: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_paused_workflow (
  workflow text PRIMARY KEY,
  reason text,
  paused_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
`,
  comments: [
    [
      'TABLE',
      'paused_workflow',
      'Workflows that are paused: no process claims tasks of their executions.',
    ],
    ['COLUMN', 'paused_workflow.reason', 'The reason that the caller gave. NULL without one.'],
  ],
};
