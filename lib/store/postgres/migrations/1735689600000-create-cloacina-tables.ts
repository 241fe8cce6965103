import type { MigrationInterface, QueryRunner } from 'typeorm';
import { migrationSchema } from './migration-schema.js';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/**
 * High-churn tables are vacuumed after some 2 % of dead rows and not PostgreSQL's 20 %: a million rows with 200,000
 * dead ones make every index look-up slower, and the few rows that wait to be claimed are found through just such
 * an index. The threshold keeps the small tables of thousands of quiet tenants from being vacuumed for nothing. The
 * cost limit lets autovacuum keep up with some ten thousand updates a second; the default one falls behind.
 */
const HIGH_CHURN = `autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_limit = 2000`;

/**
 * Few indexes, partial where the state is, because each costs every write. `workflow_execution` and `task_execution`
 * keep the default fillfactor: what changes in them (status, owner, run_at) is indexed, so an update is seldom HOT
 * and room kept free in pages would be wasted.
 */
function createTables(schema: string): string {
  return `
CREATE TABLE ${schema}.cloacina_workflow_definition (
  id bigint PRIMARY KEY,
  hash text NOT NULL,
  name text NOT NULL,
  version text,
  description text,
  definition json NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction}
);
CREATE INDEX cloacina_workflow_definition_name_idx
  ON ${schema}.cloacina_workflow_definition (name, registered_at DESC);

CREATE TABLE ${schema}.cloacina_workflow_execution (
  id uuid PRIMARY KEY,
  workflow text NOT NULL,
  definition_id bigint NOT NULL,
  status text NOT NULL CONSTRAINT cloacina_workflow_execution_status_check
    CHECK (status IN ('Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled')),
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
  has_waiters boolean NOT NULL DEFAULT false,
  run_at timestamptz,
  timeout_ms bigint,
  deadline_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction},
  started_at timestamptz,
  completed_at timestamptz
) WITH (${HIGH_CHURN});
-- These two are without the id that pages are ordered by at last: those of one instant are sorted quickly, but an index
-- with the id in it can pass for one to find an id by, while the table is next to empty.
CREATE INDEX cloacina_workflow_execution_workflow_idx
  ON ${schema}.cloacina_workflow_execution (workflow, created_at);
CREATE UNIQUE INDEX cloacina_workflow_execution_idempotency_idx
  ON ${schema}.cloacina_workflow_execution (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- Which keys tags have is up to the application, so one index serves all: an entry for each tag, of its key and value
-- together. An execution without tags is not in it, so its start pays nothing. Entries are written at once: a list of
-- pending ones would be read through by each look-up, and moved into the index by some start that is unlucky.
CREATE INDEX cloacina_workflow_execution_tags_idx
  ON ${schema}.cloacina_workflow_execution USING gin (tags jsonb_path_ops) WITH (fastupdate = off)
  WHERE tags IS NOT NULL;
CREATE INDEX cloacina_workflow_execution_status_idx
  ON ${schema}.cloacina_workflow_execution (status, created_at) WHERE status <> 'Completed';
CREATE INDEX cloacina_workflow_execution_deadline_idx
  ON ${schema}.cloacina_workflow_execution (deadline_at) WHERE deadline_at IS NOT NULL;

CREATE TABLE ${schema}.cloacina_task_execution (
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  definition_id bigint NOT NULL,
  status text NOT NULL CONSTRAINT cloacina_task_execution_status_check
    CHECK (status IN ('NotStarted', 'Ready', 'Running', 'Completed', 'Failed', 'Skipped', 'Cancelled')),
  pending_dependencies integer NOT NULL DEFAULT 0,
  unmet_dependencies integer NOT NULL DEFAULT 0,
  claim_token bigint NOT NULL DEFAULT 0,
  owner uuid,
  priority integer NOT NULL DEFAULT 0,
  run_at timestamptz,
  paused boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  recovery_attempts integer NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 0,
  failure_handled boolean NOT NULL DEFAULT false,
  skip_reason text,
  output json,
  deleted_keys text[],
  error json,
  attempts jsonb,
  deferred_since timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  PRIMARY KEY (execution_id, task_no)
) WITH (${HIGH_CHURN});
CREATE INDEX cloacina_task_execution_ready_idx
  ON ${schema}.cloacina_task_execution (definition_id, priority DESC, run_at) WHERE run_at IS NOT NULL AND NOT paused;
-- The last condition holds always. Who doesn't say it can't be served by this index, and a claim must not be: it would
-- read all that waits, of every definition.
CREATE INDEX cloacina_task_execution_due_idx
  ON ${schema}.cloacina_task_execution (run_at) WHERE run_at IS NOT NULL AND NOT paused AND task_no >= 0;
-- All that runs, also what has no owner, which should not be: then it is an orphan.
CREATE INDEX cloacina_task_execution_owner_idx
  ON ${schema}.cloacina_task_execution (owner) WHERE status = 'Running';

CREATE TABLE ${schema}.cloacina_execution_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL,
  task_no integer,
  kind text NOT NULL,
  detail jsonb,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
CREATE INDEX cloacina_execution_event_execution_idx
  ON ${schema}.cloacina_execution_event (execution_id, id);

CREATE TABLE ${schema}.cloacina_recovery_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL,
  task_no integer NOT NULL,
  task_name text,
  kind text NOT NULL,
  cause text NOT NULL,
  previous_owner uuid,
  orphaned_for_ms bigint,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);
CREATE INDEX cloacina_recovery_event_created_idx
  ON ${schema}.cloacina_recovery_event (created_at, id);
CREATE INDEX cloacina_recovery_event_execution_idx
  ON ${schema}.cloacina_recovery_event (execution_id, id);

-- A few rows that are updated for ever: with half of each page free, a renewal stays in its page and its index.
CREATE TABLE ${schema}.cloacina_runner_lease (
  instance_id uuid PRIMARY KEY,
  process_id uuid NOT NULL,
  name text,
  lock_epoch text,
  lock_session text,
  login text NOT NULL DEFAULT session_user,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction}
) WITH (fillfactor = 50);

-- For people: the library reads the tables. A task's row has a number in place of a name, since a name costs every write.
CREATE VIEW ${schema}.cloacina_task AS
  SELECT t.execution_id, d.name AS workflow,
         coalesce(d.definition -> 'tasks' -> t.task_no ->> 'name', 'task ' || t.task_no) AS task, t.task_no,
         t.status, t.attempt, t.recovery_attempts, t.run_at, t.paused, t.deferred_since, t.owner, l.name AS process,
         t.skip_reason, t.error, t.output, t.started_at, t.completed_at
  FROM ${schema}.cloacina_task_execution t
  LEFT JOIN ${schema}.cloacina_workflow_definition d ON d.id = t.definition_id
  LEFT JOIN ${schema}.cloacina_runner_lease l ON l.instance_id = t.owner;
`;
}

/** People look at these tables with psql; `\d+` shows the comments. */
function commentOn(schema: string): string {
  const comments: readonly (readonly [
    kind: 'TABLE' | 'VIEW' | 'COLUMN',
    name: string,
    text: string,
  ])[] = [
    [
      'TABLE',
      'workflow_definition',
      'Workflow definitions as they were registered; never changed, so that a deploy never changes what runs.',
    ],
    [
      'COLUMN',
      'workflow_definition.id',
      'The first 63 bits of the hash: the same definition has the same id in every schema and on every server.',
    ],
    [
      'COLUMN',
      'workflow_definition.hash',
      'SHA-256 of what decides how an execution runs: graph, rules, limits.',
    ],
    [
      'COLUMN',
      'workflow_definition.definition',
      'Tasks in topological order: the position of a task is its task_no.',
    ],

    ['TABLE', 'workflow_execution', 'One row for each started workflow.'],
    [
      'COLUMN',
      'workflow_execution.definition_id',
      'The definition it is pinned to. No foreign key: it would lock the definition row in every start.',
    ],
    [
      'COLUMN',
      'workflow_execution.idempotency_key',
      'Unique for the workflow; a later start with the same key returns this execution.',
    ],
    [
      'COLUMN',
      'workflow_execution.tags',
      'Business keys that its start gave it, as an object of strings. NULL without any.',
    ],
    [
      'COLUMN',
      'workflow_execution.context',
      'The final context, once ended, of up to 8 KB. NULL before that, and where it is larger: it is made of input and outputs.',
    ],
    ['COLUMN', 'workflow_execution.reason', 'Why it was paused or cancelled, as the caller said.'],
    [
      'COLUMN',
      'workflow_execution.run_at',
      'Not before this time, as its start said. Its tasks have it until they are claimed; a manual retry goes by this.',
    ],
    [
      'COLUMN',
      'workflow_execution.remaining_leaves',
      'Tasks without dependents that have not ended; 0 ends the execution.',
    ],
    [
      'COLUMN',
      'workflow_execution.unhandled_failures',
      'Failed tasks that no dependent handled so far; more than 0 at the end means Failed.',
    ],
    ['COLUMN', 'workflow_execution.generation', 'Goes up with every manual retry.'],
    [
      'COLUMN',
      'workflow_execution.has_waiters',
      'A process other than the one that ends it waits for the end and wants to be notified.',
    ],
    [
      'COLUMN',
      'workflow_execution.deadline_at',
      'When its timeout is over, counted from started_at. NULL without a timeout and once ended.',
    ],

    [
      'TABLE',
      'task_execution',
      'One row for each task of each execution, written when the execution starts.',
    ],
    [
      'COLUMN',
      'task_execution.task_no',
      'The position of the task in its definition; dependencies have lower numbers.',
    ],
    [
      'COLUMN',
      'task_execution.pending_dependencies',
      'Dependencies that have not ended; at 0 the trigger rule is decided.',
    ],
    [
      'COLUMN',
      'task_execution.unmet_dependencies',
      'Dependencies that ended otherwise than Completed.',
    ],
    [
      'COLUMN',
      'task_execution.claim_token',
      'Another one with every claim and every end of one: its number, random bits, and whether it has ended (odd). A process may write an outcome only with the token of its own claim.',
    ],
    [
      'COLUMN',
      'task_execution.owner',
      'The instance that holds the claim; see cloacina_runner_lease.',
    ],
    [
      'COLUMN',
      'task_execution.run_at',
      'Not NULL only while the task waits to be claimed: not before this time.',
    ],
    ['COLUMN', 'task_execution.paused', 'Its execution is paused: not to be claimed.'],
    [
      'COLUMN',
      'task_execution.attempt',
      'Attempts that failed so far. Goes up when a failure is recorded, not at a claim.',
    ],
    [
      'COLUMN',
      'task_execution.recovery_attempts',
      'How often it was taken from a lost process since an attempt last recorded an outcome.',
    ],
    ['COLUMN', 'task_execution.generation', 'Of the manual retry that reset it.'],
    [
      'COLUMN',
      'task_execution.failure_handled',
      'It Failed, and a dependent that expected the failure Completed.',
    ],
    ['COLUMN', 'task_execution.skip_reason', 'rule or upstreamFailure.'],
    ['COLUMN', 'task_execution.output', 'The context keys that the task set, with their values.'],
    ['COLUMN', 'task_execution.deleted_keys', 'The context keys that the task deleted.'],
    ['COLUMN', 'task_execution.error', 'Of the last attempt that failed.'],
    ['COLUMN', 'task_execution.attempts', 'The last 20 attempts: times and errors.'],
    [
      'COLUMN',
      'task_execution.deferred_since',
      'The first time that deferUntil() found its condition false; its timeout counts from here.',
    ],

    [
      'TABLE',
      'execution_event',
      'What the rows do not tell already: retries, failures, skips, first deferrals, cancels, pauses, conflicts, manual retries, ends.',
    ],
    ['TABLE', 'recovery_event', 'Tasks that were taken from lost processes.'],
    ['COLUMN', 'recovery_event.kind', 'recovered or abandoned.'],
    ['COLUMN', 'recovery_event.cause', 'lockGone, leaseOver, boot, manual or reconciled.'],
    [
      'COLUMN',
      'recovery_event.orphaned_for_ms',
      'From the loss, as far as it is known, to the recovery.',
    ],

    [
      'TABLE',
      'runner_lease',
      'Processes that hold claims in this schema. A process without claims has no row.',
    ],
    [
      'COLUMN',
      'runner_lease.process_id',
      'The process, which has one control connection for all its tenants; also in application_name.',
    ],
    ['COLUMN', 'runner_lease.name', 'Host and process id.'],
    [
      'COLUMN',
      'runner_lease.lock_epoch',
      'The life of the server in which the process took its advisory lock: only within it a missing lock proves a death.',
    ],
    [
      'COLUMN',
      'runner_lease.lock_session',
      'The advisory lock that the process holds while it lives: its key, random for each session, and the backend.',
    ],
    [
      'COLUMN',
      'runner_lease.login',
      'The role of the process: of connections with its application_name, only those of this role are its own.',
    ],
    [
      'COLUMN',
      'runner_lease.expires_at',
      'Renewed while the process lives. After it, its claims may be taken.',
    ],

    ['VIEW', 'task', 'Tasks of executions by name, for queries by hand.'],
    ['COLUMN', 'task.process', 'Host and process id of the owner, while the task runs.'],
  ];
  return comments
    .map(([kind, name, text]) => `COMMENT ON ${kind} ${schema}.cloacina_${name} IS '${text}';`)
    .join('\n');
}

/** The tables that workflows run on. Schedules and what comes later have migrations of their own. */
export class CreateCloacinaTables1735689600000 implements MigrationInterface {
  // Written out, because a minifier may rename the class and the history would no longer recognize it.
  readonly name = 'CreateCloacinaTables1735689600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = migrationSchema(queryRunner);
    // One round trip: without parameters, many statements go in one message.
    await queryRunner.query(createTables(schema) + commentOn(schema));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = migrationSchema(queryRunner);
    await queryRunner.query(`DROP VIEW ${schema}.cloacina_task;
      DROP TABLE
      ${schema}.cloacina_runner_lease,
      ${schema}.cloacina_recovery_event,
      ${schema}.cloacina_execution_event,
      ${schema}.cloacina_task_execution,
      ${schema}.cloacina_workflow_execution,
      ${schema}.cloacina_workflow_definition`);
  }
}
