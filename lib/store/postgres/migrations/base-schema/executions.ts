import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import { HIGH_CHURN, type TableGroup } from './table-group.js';

/**
 * There are few indexes, and they are partial if possible, because each one slows down every write. The table keeps the
 * default fillfactor: its indexed columns change, so updates are seldom HOT, and free space in pages would be wasted.
 */
export const EXECUTIONS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_workflow_execution (
  id uuid PRIMARY KEY,
  workflow text NOT NULL,
  definition_id bigint NOT NULL,
  status text NOT NULL CONSTRAINT cloacina_workflow_execution_status_check
    CHECK (status IN ('Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled')),
  outcome text CONSTRAINT cloacina_workflow_execution_outcome_check
    CHECK (outcome IN ('Completed', 'Failed', 'Cancelled')),
  idempotency_key text,
  tags jsonb,
  priority integer NOT NULL DEFAULT 0,
  input json NOT NULL,
  context json,
  error json,
  reason text,
  remaining_leaves integer NOT NULL,
  unhandled_failures integer NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 0,
  depth smallint NOT NULL DEFAULT 0,
  epilogue smallint NOT NULL DEFAULT 0,
  unsettled smallint NOT NULL DEFAULT 0,
  has_waiters boolean NOT NULL DEFAULT false,
  admitted boolean NOT NULL DEFAULT false,
  legal_hold boolean NOT NULL DEFAULT false,
  run_at timestamptz,
  timeout_ms bigint,
  deadline_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction},
  started_at timestamptz,
  completed_at timestamptz,
  parent_execution_id uuid,
  parent_task_no integer,
  parent_item_no integer,
  parent_step text,
  root_execution_id uuid,
  on_parent_end text CONSTRAINT cloacina_workflow_execution_on_parent_end_check
    CHECK (on_parent_end IN ('cancel', 'abandon')),
  forked_from uuid,
  admission_key text COLLATE "C",
  debounce_key text COLLATE "C",
  debounced_by uuid,
  batch_count integer,
  schedule text,
  scheduled_for timestamptz,
  trace_context text
) WITH (${HIGH_CHURN});
-- These two leave out the id, although pages are ordered by it at last. Rows of one instant are sorted quickly, but the
-- planner may use an index with the id to look up an id while the table is nearly empty.
CREATE INDEX cloacina_workflow_execution_workflow_idx
  ON ${schema}.cloacina_workflow_execution (workflow, created_at);
CREATE UNIQUE INDEX cloacina_workflow_execution_idempotency_idx
  ON ${schema}.cloacina_workflow_execution (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- The application chooses the keys of tags, so one index serves all, with an entry for each pair of key and value. An
-- execution without tags is not in it, so its start costs nothing. Without fastupdate, entries are written at once:
-- otherwise each look-up would read a list of pending entries, and some start would have to move them into the index.
CREATE INDEX cloacina_workflow_execution_tags_idx
  ON ${schema}.cloacina_workflow_execution USING gin (tags jsonb_path_ops) WITH (fastupdate = off)
  WHERE tags IS NOT NULL;
CREATE INDEX cloacina_workflow_execution_status_idx
  ON ${schema}.cloacina_workflow_execution (status, created_at) WHERE status <> 'Completed';
-- For the count of maxPending. An execution that begins in the statement of its start is never in it, and the beginning of
-- another one writes nothing to it. The condition on the generation is always true. Only the count contains it: a list of
-- Pending executions by date must not find them here, without an order.
CREATE INDEX cloacina_workflow_execution_pending_idx
  ON ${schema}.cloacina_workflow_execution (workflow) WHERE status = 'Pending' AND generation >= 0;
CREATE INDEX cloacina_workflow_execution_deadline_idx
  ON ${schema}.cloacina_workflow_execution (deadline_at) WHERE deadline_at IS NOT NULL;
-- With the id, by which the children of one parent are read in pages.
CREATE INDEX cloacina_workflow_execution_parent_idx
  ON ${schema}.cloacina_workflow_execution (parent_execution_id, id) WHERE parent_execution_id IS NOT NULL;
-- Every statement that ends an execution sets completed_at, and by that alone its row enters this index. So no way to
-- end an execution can forget its parent, its children or its subscribers.
CREATE INDEX cloacina_workflow_execution_unsettled_idx
  ON ${schema}.cloacina_workflow_execution (id) WHERE unsettled <> 0 AND completed_at IS NOT NULL;
CREATE UNIQUE INDEX cloacina_workflow_execution_debounce_idx
  ON ${schema}.cloacina_workflow_execution (workflow, debounce_key) WHERE debounce_key IS NOT NULL;
-- For a debounced start that is sent again after a lost reply. Other executions are not in it.
CREATE INDEX cloacina_workflow_execution_debounced_by_idx
  ON ${schema}.cloacina_workflow_execution (debounced_by) WHERE debounced_by IS NOT NULL;
-- Executions that wait for their turn: those of a key in their order, and by the time at which they ask.
CREATE INDEX cloacina_workflow_execution_admission_idx
  ON ${schema}.cloacina_workflow_execution (admission_key, priority DESC, run_at, id)
  WHERE admission_key IS NOT NULL AND NOT admitted AND completed_at IS NULL AND status <> 'Paused';
-- The condition on the generation is always true. Only queries that contain it can use this index: one of a key must not,
-- because it would read the waiting executions of all keys.
CREATE INDEX cloacina_workflow_execution_admission_due_idx
  ON ${schema}.cloacina_workflow_execution (run_at)
  WHERE admission_key IS NOT NULL AND NOT admitted AND completed_at IS NULL AND status <> 'Paused'
    AND generation >= 0;
`,
  comments: [
    ['TABLE', 'workflow_execution', 'One row per started workflow.'],
    [
      'COLUMN',
      'workflow_execution.definition_id',
      'The definition that the execution is pinned to. No foreign key: it would lock the definition row in every start.',
    ],
    [
      'COLUMN',
      'workflow_execution.outcome',
      'The status that a Finishing execution gets at its end. NULL otherwise.',
    ],
    [
      'COLUMN',
      'workflow_execution.idempotency_key',
      'Unique within the workflow. A later start with the same key returns this execution.',
    ],
    [
      'COLUMN',
      'workflow_execution.tags',
      'Business keys given at the start, as an object of strings. NULL if there are none.',
    ],
    [
      'COLUMN',
      'workflow_execution.context',
      'The final context of an ended execution, up to 8 KB. NULL before the end, or if it is larger: then it is computed from input and outputs.',
    ],
    [
      'COLUMN',
      'workflow_execution.reason',
      'The reason that the caller gave for a pause or cancel.',
    ],
    [
      'COLUMN',
      'workflow_execution.run_at',
      'Earliest time of execution, given at the start. Waiting tasks have it until they are claimed; a manual retry uses it again. With an admission key: when the execution asks for its slot.',
    ],
    [
      'COLUMN',
      'workflow_execution.remaining_leaves',
      'Number of tasks without dependents that have not ended. 0 ends the execution.',
    ],
    [
      'COLUMN',
      'workflow_execution.unhandled_failures',
      'Number of failed tasks whose failure no dependent has handled. More than 0 at the end means Failed.',
    ],
    ['COLUMN', 'workflow_execution.generation', 'Number of manual retries.'],
    [
      'COLUMN',
      'workflow_execution.depth',
      'Number of executions above this one: 0 for an execution without a parent.',
    ],
    [
      'COLUMN',
      'workflow_execution.epilogue',
      'Bits for the handlers that run after the decided outcome: 1 compensations, 2 onFailure, 4 onCancel, 8 finally.',
    ],
    [
      'COLUMN',
      'workflow_execution.unsettled',
      'Bits for what the end of the execution has still to bring about: 1 the parent is to be told, 2 children are to be ended, 4 subscribers are to be told, 8 the next execution of the admission key is to begin.',
    ],
    [
      'COLUMN',
      'workflow_execution.has_waiters',
      'Whether a process other than the one that ends the execution waits for the end and needs a notification.',
    ],
    [
      'COLUMN',
      'workflow_execution.deadline_at',
      'When the timeout passes, counted from started_at. NULL without a timeout, and after the end.',
    ],
    [
      'COLUMN',
      'workflow_execution.parent_step',
      'The step of the task of the parent that started the execution; see cloacina_task_step.',
    ],
    [
      'COLUMN',
      'workflow_execution.root_execution_id',
      'The execution at the top of the tree. NULL for an execution without a parent.',
    ],
    [
      'COLUMN',
      'workflow_execution.on_parent_end',
      'Whether the execution is cancelled when its parent ends: cancel or abandon.',
    ],
    ['COLUMN', 'workflow_execution.forked_from', 'The execution that this one is a fork of.'],
    [
      'COLUMN',
      'workflow_execution.admission_key',
      'The key of the slot that the execution has from its first task to its end; see cloacina_limit_slot. NULL without an admission.',
    ],
    [
      'COLUMN',
      'workflow_execution.admitted',
      'Whether an execution with an admission key has got its slot. Its tasks are not due before.',
    ],
    [
      'COLUMN',
      'workflow_execution.legal_hold',
      'Whether the execution must not be deleted, nor the tree that it is in.',
    ],
    [
      'COLUMN',
      'workflow_execution.debounce_key',
      'Unique within the workflow. A later start with the key replaces the input of an execution that has not begun, or with U+001E before the key adds its input, and takes the key from any other.',
    ],
    [
      'COLUMN',
      'workflow_execution.debounced_by',
      'The id of the debounced start that has replaced the input last. NULL while the execution has the input it was created with.',
    ],
    [
      'COLUMN',
      'workflow_execution.batch_count',
      'Number of inputs that starts of a batch have added. NULL for an execution that was not started with a batch.',
    ],
    [
      'COLUMN',
      'workflow_execution.schedule',
      'The schedule that started the execution, and in scheduled_for the instant it was started for.',
    ],
    [
      'COLUMN',
      'workflow_execution.trace_context',
      'The span of the start, as the header traceparent of W3C Trace Context and, behind a space, tracestate. NULL without tracing.',
    ],
  ],
};
