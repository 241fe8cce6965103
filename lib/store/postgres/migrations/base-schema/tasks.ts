import { HIGH_CHURN, type TableGroup } from './table-group.js';

/**
 * Half of each page is free for updates. The claim of a task and its outcome change no column of an index, so both versions
 * find room on the page of the first one (HOT), and write to no index. The room of the old versions is used again.
 *
 * The order of the columns leaves no padding between them: `item_no` fills the four bytes before `definition_id`.
 */
export const TASKS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_task_execution (
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  item_no integer NOT NULL DEFAULT 0,
  definition_id bigint NOT NULL,
  status text NOT NULL CONSTRAINT cloacina_task_execution_status_check
    CHECK (status IN ('NotStarted', 'Ready', 'Running', 'Waiting', 'Completed', 'Failed', 'Skipped', 'Cancelled')),
  pending_dependencies integer NOT NULL DEFAULT 0,
  unmet_dependencies integer NOT NULL DEFAULT 0,
  claim_token bigint NOT NULL DEFAULT 0,
  owner uuid,
  priority integer NOT NULL DEFAULT 0,
  run_at timestamptz,
  paused boolean NOT NULL DEFAULT false,
  failure_handled boolean NOT NULL DEFAULT false,
  has_steps boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  recovery_attempts integer NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 0,
  wakes integer NOT NULL DEFAULT 0,
  item_count integer,
  limit_key text COLLATE "C",
  skip_reason text,
  item json,
  output json,
  deleted_keys text[],
  error json,
  attempts jsonb,
  deferred_since timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  PRIMARY KEY (execution_id, task_no, item_no),
  -- A Running task without an owner would be found by no recovery.
  CONSTRAINT cloacina_task_execution_owner_check CHECK (status <> 'Running' OR owner IS NOT NULL)
) WITH (${HIGH_CHURN}, fillfactor = 50);
CREATE INDEX cloacina_task_execution_ready_idx
  ON ${schema}.cloacina_task_execution (definition_id, priority DESC, run_at)
  WHERE run_at IS NOT NULL AND NOT paused AND limit_key IS NULL;
-- Tasks with a limit are claimed by a statement of their own, which counts the slots of their key. The usual claim must
-- not find them. By definition, because many tasks of a key may be of workflows that are paused, or that other processes run.
CREATE INDEX cloacina_task_execution_limited_idx
  ON ${schema}.cloacina_task_execution (limit_key, definition_id, priority DESC, run_at)
  WHERE run_at IS NOT NULL AND NOT paused AND limit_key IS NOT NULL;
-- The condition on the number is always true. Only queries that contain it can use this index. A claim must not use it, because it
-- would read the waiting tasks of all definitions.
CREATE INDEX cloacina_task_execution_due_idx
  ON ${schema}.cloacina_task_execution (run_at)
  WHERE run_at IS NOT NULL AND NOT paused AND limit_key IS NULL AND task_no >= 0;
-- Tasks that wait for a slot of a full key stay due, and must not hide when others become due.
CREATE INDEX cloacina_task_execution_limited_due_idx
  ON ${schema}.cloacina_task_execution (run_at)
  WHERE run_at IS NOT NULL AND NOT paused AND limit_key IS NOT NULL AND task_no >= 0;
-- A process finds the definitions of such tasks, and the tasks for which it has no handler, without a look at each of them.
-- Only queries with the condition on the number of the item, which is always true, can use this index.
CREATE INDEX cloacina_task_execution_limited_definition_idx
  ON ${schema}.cloacina_task_execution (definition_id, run_at)
  WHERE run_at IS NOT NULL AND NOT paused AND limit_key IS NOT NULL AND item_no >= 0;
`,
  comments: [
    [
      'TABLE',
      'task_execution',
      'One row per task of an execution, written when the execution starts, and one per item of a task that runs once for each item.',
    ],
    [
      'COLUMN',
      'task_execution.task_no',
      'The position of the task in its definition. Dependencies have lower numbers.',
    ],
    [
      'COLUMN',
      'task_execution.item_no',
      '0 in the row of the task itself. An item of the task has a number from 1 on; it is a dependency of the row with 0.',
    ],
    [
      'COLUMN',
      'task_execution.pending_dependencies',
      'Number of dependencies that have not ended. At 0 the trigger rule is evaluated.',
    ],
    [
      'COLUMN',
      'task_execution.unmet_dependencies',
      'Number of dependencies that ended with another status than Completed.',
    ],
    [
      'COLUMN',
      'task_execution.claim_token',
      'Changes with every claim and with the end of every claim: a count of claims, random bits, and a last bit that is 1 after the end. A process can record an outcome only with the token of its own claim.',
    ],
    [
      'COLUMN',
      'task_execution.owner',
      'The instance that has the claim; see cloacina_runner_lease.',
    ],
    [
      'COLUMN',
      'task_execution.run_at',
      'Earliest time of the next claim. NULL unless the task waits to be claimed, or waits with a time limit.',
    ],
    [
      'COLUMN',
      'task_execution.paused',
      'Whether its execution is paused, so the task must not be claimed.',
    ],
    [
      'COLUMN',
      'task_execution.failure_handled',
      'Whether the task Failed and a dependent that expects the failure Completed.',
    ],
    [
      'COLUMN',
      'task_execution.has_steps',
      'Whether cloacina_task_step has rows of the task. Only then a claim reads them.',
    ],
    [
      'COLUMN',
      'task_execution.attempt',
      'Number of failed attempts, since the last step if there are steps. Increased when a failure is recorded, not at a claim.',
    ],
    [
      'COLUMN',
      'task_execution.recovery_attempts',
      'How often the task was taken from a lost process since an attempt last recorded an outcome.',
    ],
    ['COLUMN', 'task_execution.generation', 'Number of the manual retry that last reset the task.'],
    [
      'COLUMN',
      'task_execution.wakes',
      'Number of wake-ups. It only increases. A task that finds another number than at its claim does not go to sleep.',
    ],
    [
      'COLUMN',
      'task_execution.item_count',
      'Number of items of a task that runs once for each item. NULL before they are known, and for other tasks.',
    ],
    [
      'COLUMN',
      'task_execution.limit_key',
      'The limit that the task counts for, and its key, separated by U+001F. NULL without a limit.',
    ],
    ['COLUMN', 'task_execution.skip_reason', 'rule, upstreamFailure or timeout.'],
    ['COLUMN', 'task_execution.item', 'The item that the row is for. NULL in the row of a task.'],
    ['COLUMN', 'task_execution.output', 'The context keys that the task set, with their values.'],
    ['COLUMN', 'task_execution.deleted_keys', 'The context keys that the task deleted.'],
    ['COLUMN', 'task_execution.error', 'The error of the last failed attempt.'],
    ['COLUMN', 'task_execution.attempts', 'The last 20 failed attempts, with times and errors.'],
    [
      'COLUMN',
      'task_execution.deferred_since',
      'Time of the first deferUntil() whose condition was false. The timeout of the deferral counts from here.',
    ],
  ],
};
