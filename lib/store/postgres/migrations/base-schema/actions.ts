import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/** What people did to workflows and schedules. The history of an execution has its own actions. */
export const ACTIONS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_action (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  subject text NOT NULL,
  actor text NOT NULL,
  reason text,
  execution_id uuid,
  call_id uuid NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
-- People act seldom, so the indexes cost nothing. Without them, a list of one subject reads the actions on all others. Only these
-- have the order of id + 0: for that of the id, a plan could walk the primary key through the actions on all others.
CREATE INDEX cloacina_action_subject_idx ON ${schema}.cloacina_action (subject, (id + 0));
-- The begin of the actor, because an entry of an index has a greatest length.
CREATE INDEX cloacina_action_actor_idx ON ${schema}.cloacina_action (left(actor, 100), (id + 0));
-- Either of the two may have a million actions, and both together a few. An order of its own, as above: the planner takes them for
-- independent, and could walk one of the two.
CREATE INDEX cloacina_action_subject_actor_idx ON ${schema}.cloacina_action (subject, left(actor, 100), (0 + id));
`,
  comments: [
    ['TABLE', 'action', 'Who has changed which workflow or schedule. Only calls with an actor.'],
    ['COLUMN', 'action.kind', 'Such as workflow.paused or schedule.run.'],
    ['COLUMN', 'action.subject', 'The name of the workflow or schedule.'],
    ['COLUMN', 'action.call_id', 'Of the call. One that is sent again is recorded once.'],
    ['COLUMN', 'action.execution_id', 'The execution that the action started. NULL otherwise.'],
  ],
};
