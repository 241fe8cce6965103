import { BATCH_INPUT } from '../../../port/index.js';
import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import { HIGH_CHURN, type TableGroup } from './table-group.js';

/** Named checkpoints of tasks, the messages that tasks wait for, and their progress. */
export const WAITS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_task_step (
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  item_no integer NOT NULL,
  name text NOT NULL,
  kind text NOT NULL CONSTRAINT cloacina_task_step_kind_check
    CHECK (kind IN ('step', 'sleep', 'signal', 'event', 'child')),
  status text NOT NULL CONSTRAINT cloacina_task_step_status_check
    CHECK (status IN ('Open', 'Done', 'Failed', 'TimedOut')),
  result json,
  error json,
  child_id uuid,
  signal_id bigint,
  event_name text,
  event_key text,
  due_at timestamptz,
  started_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  completed_at timestamptz,
  PRIMARY KEY (execution_id, task_no, item_no, name)
) WITH (${HIGH_CHURN});
-- What open waits listen for. The wait for a signal has the id of its execution as event_key, so one index serves both. With
-- the task, because an event that very many tasks wait for is delivered in parts.
CREATE INDEX cloacina_task_step_listening_idx
  ON ${schema}.cloacina_task_step (event_name, event_key, execution_id, task_no, item_no) WHERE status = 'Open' AND event_name IS NOT NULL;

CREATE TABLE ${schema}.cloacina_signal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid,
  name text NOT NULL,
  key text,
  payload json NOT NULL,
  idempotency_key text,
  delivered boolean NOT NULL DEFAULT false,
  consumed boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  expires_at timestamptz,
  delivery json
);
-- Finds the oldest signal that is not consumed, and for a deletion all signals of an execution.
CREATE INDEX cloacina_signal_mailbox_idx
  ON ${schema}.cloacina_signal (execution_id, name, consumed, id) WHERE execution_id IS NOT NULL;
-- With the time, because a wait skips events that are older than its execution: a key may have a hundred thousand of them.
CREATE INDEX cloacina_signal_event_idx
  ON ${schema}.cloacina_signal (name, key, created_at, id) WHERE execution_id IS NULL;
CREATE INDEX cloacina_signal_undelivered_idx ON ${schema}.cloacina_signal (id) WHERE NOT delivered;
CREATE INDEX cloacina_signal_expiry_idx ON ${schema}.cloacina_signal (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX cloacina_signal_sent_idx
  ON ${schema}.cloacina_signal (execution_id, name, idempotency_key)
  WHERE execution_id IS NOT NULL AND idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX cloacina_signal_emitted_idx
  ON ${schema}.cloacina_signal (name, key, idempotency_key)
  WHERE execution_id IS NULL AND idempotency_key IS NOT NULL;
-- An input of a batch is stored once, in whichever execution it is.
CREATE UNIQUE INDEX cloacina_signal_batched_idx
  ON ${schema}.cloacina_signal (idempotency_key) WHERE name = '${BATCH_INPUT}';

-- Without WAL, and empty after a crash of the server: progress is advisory, and the next report replaces it.
CREATE UNLOGGED TABLE ${schema}.cloacina_task_progress (
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  item_no integer NOT NULL,
  value json NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  PRIMARY KEY (execution_id, task_no, item_no)
) WITH (fillfactor = 50);
`,
  comments: [
    [
      'TABLE',
      'task_step',
      'Named checkpoints of tasks: finished steps with their results, and waits that are open or over.',
    ],
    [
      'COLUMN',
      'task_step.name',
      'The name in the code, with #key and @version if the code gives them.',
    ],
    ['COLUMN', 'task_step.status', 'Open: a wait that is not over. Done, Failed, TimedOut: over.'],
    ['COLUMN', 'task_step.child_id', 'The execution that a child step started.'],
    ['COLUMN', 'task_step.signal_id', 'The message that ended the wait.'],
    [
      'COLUMN',
      'task_step.event_name',
      'What an open wait listens for: a signal or an event, and in event_key the key of the event or the id of the execution.',
    ],
    ['COLUMN', 'task_step.due_at', 'End of a sleep, or of the time limit of a wait.'],

    [
      'TABLE',
      'signal',
      'Messages for tasks: signals to one execution, and events with a name and a key. The inputs of a batch are signals with the name #batch.',
    ],
    ['COLUMN', 'signal.execution_id', 'The execution that a signal is for. NULL for an event.'],
    ['COLUMN', 'signal.key', 'The key of an event. NULL for a signal.'],
    [
      'COLUMN',
      'signal.delivered',
      'Whether the tasks that listened at the time were woken. Does not say that one has read the message.',
    ],
    [
      'COLUMN',
      'signal.created_at',
      "When the message was sent. If it was sent in a caller's transaction: when it was delivered, and infinity until then.",
    ],
    ['COLUMN', 'signal.expires_at', 'When an event is deleted. NULL for a signal.'],
    [
      'COLUMN',
      'signal.delivery',
      'Between two parts of a delivery to many tasks: the last task that was woken, and whether locked ones were skipped.',
    ],
    ['COLUMN', 'signal.consumed', 'Whether a wait has taken the signal. Events are not consumed.'],

    [
      'TABLE',
      'task_progress',
      'The last reported progress of running tasks. Unlogged: empty after a crash of the server.',
    ],
  ],
};
