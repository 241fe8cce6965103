import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/** Which processes serve the tenant. */
export const PROCESSES: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_process (
  process_id uuid PRIMARY KEY,
  name text NOT NULL,
  lock_session text,
  state text NOT NULL CONSTRAINT cloacina_process_state_check CHECK (state IN ('claiming', 'paused', 'draining')),
  slots integer NOT NULL,
  definition_format integer NOT NULL,
  definitions bigint[] NOT NULL,
  limits json NOT NULL,
  since timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  seen_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
`,
  comments: [
    [
      'TABLE',
      'process',
      'What each process serves here, written when it changes. Only its lock, or without one seen_at, shows whether the process lives.',
    ],
    ['COLUMN', 'process.name', 'Host and process id.'],
    [
      'COLUMN',
      'process.lock_session',
      'The advisory lock of the process, as in cloacina_runner_lease. NULL without a control connection.',
    ],
    [
      'COLUMN',
      'process.slots',
      'Number of tasks of this tenant that the process may run at a time.',
    ],
    [
      'COLUMN',
      'process.definition_format',
      'The newest format of definitions that the release of the process reads.',
    ],
    ['COLUMN', 'process.definitions', 'The definitions in the code of the process.'],
    ['COLUMN', 'process.limits', 'The numbers of the limits in the code of the process, by name.'],
  ],
};
