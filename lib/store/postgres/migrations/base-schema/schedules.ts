import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/** Schedules with their firings, and the state of pollers. */
export const SCHEDULES: TableGroup = {
  create: (schema) => `
-- Schedules are listed in the order of their code points, so that pages follow each other in each database.
CREATE TABLE ${schema}.cloacina_schedule (
  name text COLLATE "C" PRIMARY KEY,
  workflow text NOT NULL,
  spec json NOT NULL,
  input json,
  origin text NOT NULL CONSTRAINT cloacina_schedule_origin_check CHECK (origin IN ('code', 'api')),
  state text NOT NULL CONSTRAINT cloacina_schedule_state_check
    CHECK (state IN ('active', 'paused', 'ended', 'broken')),
  reason text,
  version integer NOT NULL DEFAULT 1,
  next_for timestamptz,
  next_at timestamptz,
  last_fired_for timestamptz,
  last_execution_id uuid,
  last_error json,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  updated_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
CREATE INDEX cloacina_schedule_next_idx ON ${schema}.cloacina_schedule (next_at) WHERE state = 'active';

CREATE TABLE ${schema}.cloacina_schedule_firing (
  schedule text COLLATE "C" NOT NULL,
  scheduled_for timestamptz NOT NULL,
  outcome text NOT NULL,
  execution_id uuid,
  ended text,
  until timestamptz,
  count integer NOT NULL DEFAULT 1,
  due_at timestamptz,
  fired_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  PRIMARY KEY (schedule, scheduled_for)
);
-- Statistics count what was recorded since a time, and a backfill looks for the range that a time is in. Most firings are
-- not ranges.
CREATE INDEX cloacina_schedule_firing_fired_idx ON ${schema}.cloacina_schedule_firing (fired_at);
CREATE INDEX cloacina_schedule_firing_range_idx
  ON ${schema}.cloacina_schedule_firing (schedule, scheduled_for) WHERE until IS NOT NULL;

CREATE TABLE ${schema}.cloacina_state (
  name text PRIMARY KEY,
  value json,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  updated_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
`,
  comments: [
    ['TABLE', 'schedule', 'Schedules that start executions.'],
    ['COLUMN', 'schedule.spec', 'The expression, time zone and policies.'],
    ['COLUMN', 'schedule.origin', 'code: declared in the application. api: created at run time.'],
    [
      'COLUMN',
      'schedule.state',
      'active, paused, ended (no firing is left) or broken (its workflow or expression is not usable).',
    ],
    ['COLUMN', 'schedule.reason', 'Why the schedule is paused or broken.'],
    [
      'COLUMN',
      'schedule.version',
      'Number of changes and firings. Each of them is refused if it has changed.',
    ],
    ['COLUMN', 'schedule.next_for', 'The next instant of the schedule. NULL if none is left.'],
    ['COLUMN', 'schedule.next_at', 'When it is due: next_for and the jitter.'],
    [
      'COLUMN',
      'schedule.last_error',
      'Why the schedule could not fire when it was due last. NULL if it could, or was changed since.',
    ],
    [
      'TABLE',
      'schedule_firing',
      'What came of each firing: it started an execution, or was skipped and why.',
    ],
    [
      'COLUMN',
      'schedule_firing.ended',
      'How an execution ended that was deleted since. NULL while it exists.',
    ],
    [
      'COLUMN',
      'schedule_firing.until',
      'The last instant of a range of firings that were passed over together. NULL for one firing.',
    ],
    ['COLUMN', 'schedule_firing.count', 'Number of firings in the range, counted to 1000.'],
    [
      'COLUMN',
      'schedule_firing.due_at',
      'When the firing was due: scheduled_for and the jitter. NULL if no timer made it.',
    ],
    ['TABLE', 'state', 'State of the library by name, such as the cursors of pollers.'],
  ],
};
