import type { TableGroup } from './table-group.js';

export const TASK_VIEW: TableGroup = {
  create: (schema) => `
-- For people; the library reads the tables. A task's row has a number instead of a name, because a name would cost every write.
CREATE VIEW ${schema}.cloacina_task AS
  SELECT t.execution_id, d.name AS workflow,
         coalesce(d.task_names[t.task_no + 1], 'task ' || t.task_no) AS task, t.task_no, t.item_no,
         t.status, t.attempt, t.recovery_attempts, t.run_at, t.paused, t.deferred_since, t.owner, l.name AS process,
         t.limit_key, t.skip_reason, t.error, t.item, t.item_count, t.output, t.started_at, t.completed_at
  FROM ${schema}.cloacina_task_execution t
  LEFT JOIN ${schema}.cloacina_workflow_definition d ON d.id = t.definition_id
  LEFT JOIN ${schema}.cloacina_runner_lease l ON l.instance_id = t.owner;
`,
  comments: [
    ['VIEW', 'task', 'Tasks of executions with their names, for manual queries.'],
    ['COLUMN', 'task.process', 'Host and process id of the owner while the task is Running.'],
  ],
};
