import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

export const DEFINITIONS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_workflow_definition (
  id bigint PRIMARY KEY,
  hash text NOT NULL,
  name text NOT NULL,
  version text,
  description text,
  definition json NOT NULL,
  task_names text[] NOT NULL DEFAULT '{}',
  registered_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction}
);
CREATE INDEX cloacina_workflow_definition_name_idx
  ON ${schema}.cloacina_workflow_definition (name, registered_at DESC);
`,
  comments: [
    [
      'TABLE',
      'workflow_definition',
      'Registered workflow definitions. They never change, so a deploy never changes a running execution.',
    ],
    [
      'COLUMN',
      'workflow_definition.id',
      'The first 63 bits of the hash: the same definition has the same id in every schema and on every server.',
    ],
    [
      'COLUMN',
      'workflow_definition.task_names',
      'Names of the tasks in the order of their numbers, which begin at 0. For the view of tasks: to parse the definition for each row takes up to a millisecond.',
    ],
    [
      'COLUMN',
      'workflow_definition.hash',
      'SHA-256 of everything that determines how an execution runs: graph, rules, limits.',
    ],
    [
      'COLUMN',
      'workflow_definition.definition',
      'Tasks in topological order: the position of a task is its task_no.',
    ],
  ],
};
