import type { MigrationInterface, QueryRunner } from 'typeorm';
import { migrationSchema } from './migration-schema.js';
import { SERVER_CLOCK } from '../statements/sql-clock.js';

/**
 * Makes autovacuum process high-churn tables after some 2 % of dead rows instead of PostgreSQL's 20 %. With 200,000 dead
 * rows in a million, every index look-up is slower, including the one that finds the few waiting tasks. The threshold
 * avoids needless vacuums of the small tables of quiet tenants. The cost limit lets autovacuum keep up with some ten
 * thousand updates a second; the default one falls behind.
 */
const HIGH_CHURN = `autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_limit = 2000`;

/**
 * There are few indexes, and they are partial if possible, because each one slows down every write. `workflow_execution`
 * and `task_execution` keep the default fillfactor: their indexed columns (status, owner, run_at) change, so updates are
 * seldom HOT, and free space in pages would be wasted.
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
  task_names text[] NOT NULL DEFAULT '{}',
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
-- The last condition is always true. Only queries that contain it can use this index. A claim must not use it, because it
-- would read the waiting tasks of all definitions.
CREATE INDEX cloacina_task_execution_due_idx
  ON ${schema}.cloacina_task_execution (run_at) WHERE run_at IS NOT NULL AND NOT paused AND task_no >= 0;
-- All Running tasks, including those without an owner, which are orphans although they should not occur.
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

-- A few rows that are updated permanently. With half of each page free, a renewal stays in its page and needs no index entry.
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

-- For people; the library reads the tables. A task's row has a number instead of a name, because a name would cost every write.
CREATE VIEW ${schema}.cloacina_task AS
  SELECT t.execution_id, d.name AS workflow,
         coalesce(d.task_names[t.task_no + 1], 'task ' || t.task_no) AS task, t.task_no,
         t.status, t.attempt, t.recovery_attempts, t.run_at, t.paused, t.deferred_since, t.owner, l.name AS process,
         t.skip_reason, t.error, t.output, t.started_at, t.completed_at
  FROM ${schema}.cloacina_task_execution t
  LEFT JOIN ${schema}.cloacina_workflow_definition d ON d.id = t.definition_id
  LEFT JOIN ${schema}.cloacina_runner_lease l ON l.instance_id = t.owner;
`;
}

/** Comments for people who inspect these tables with psql, where `\d+` shows them. */
function commentOn(schema: string): string {
  const comments: readonly (readonly [
    kind: 'TABLE' | 'VIEW' | 'COLUMN',
    name: string,
    text: string,
  ])[] = [
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

    ['TABLE', 'workflow_execution', 'One row per started workflow.'],
    [
      'COLUMN',
      'workflow_execution.definition_id',
      'The definition that the execution is pinned to. No foreign key: it would lock the definition row in every start.',
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
      'Earliest time of execution, given at the start. Waiting tasks have it until they are claimed; a manual retry uses it again.',
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
      'workflow_execution.has_waiters',
      'Whether a process other than the one that ends the execution waits for the end and needs a notification.',
    ],
    [
      'COLUMN',
      'workflow_execution.deadline_at',
      'When the timeout passes, counted from started_at. NULL without a timeout, and after the end.',
    ],

    [
      'TABLE',
      'task_execution',
      'One row per task of an execution, written when the execution starts.',
    ],
    [
      'COLUMN',
      'task_execution.task_no',
      'The position of the task in its definition. Dependencies have lower numbers.',
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
      'Earliest time of the next claim. NULL unless the task waits to be claimed.',
    ],
    [
      'COLUMN',
      'task_execution.paused',
      'Whether its execution is paused, so the task must not be claimed.',
    ],
    [
      'COLUMN',
      'task_execution.attempt',
      'Number of failed attempts. Increased when a failure is recorded, not at a claim.',
    ],
    [
      'COLUMN',
      'task_execution.recovery_attempts',
      'How often the task was taken from a lost process since an attempt last recorded an outcome.',
    ],
    ['COLUMN', 'task_execution.generation', 'Number of the manual retry that last reset the task.'],
    [
      'COLUMN',
      'task_execution.failure_handled',
      'Whether the task Failed and a dependent that expects the failure Completed.',
    ],
    ['COLUMN', 'task_execution.skip_reason', 'rule or upstreamFailure.'],
    ['COLUMN', 'task_execution.output', 'The context keys that the task set, with their values.'],
    ['COLUMN', 'task_execution.deleted_keys', 'The context keys that the task deleted.'],
    ['COLUMN', 'task_execution.error', 'The error of the last failed attempt.'],
    ['COLUMN', 'task_execution.attempts', 'The last 20 failed attempts, with times and errors.'],
    [
      'COLUMN',
      'task_execution.deferred_since',
      'Time of the first deferUntil() whose condition was false. The timeout of the deferral counts from here.',
    ],

    [
      'TABLE',
      'execution_event',
      'Events that the rows do not show: retries, failures, skips, first deferrals, cancels, pauses, conflicts, manual retries, ends.',
    ],
    ['TABLE', 'recovery_event', 'Tasks that were taken from lost processes.'],
    ['COLUMN', 'recovery_event.kind', 'recovered or abandoned.'],
    ['COLUMN', 'recovery_event.cause', 'lockGone, leaseOver, boot, manual or reconciled.'],
    [
      'COLUMN',
      'recovery_event.orphaned_for_ms',
      'Time from the loss, as far as known, to the recovery.',
    ],

    [
      'TABLE',
      'runner_lease',
      'Processes with claims in this schema. A process without claims has no row.',
    ],
    [
      'COLUMN',
      'runner_lease.process_id',
      'The process, which has one control connection for all its tenants. Part of application_name.',
    ],
    ['COLUMN', 'runner_lease.name', 'Host and process id.'],
    [
      'COLUMN',
      'runner_lease.lock_epoch',
      'Life of the server in which the process took its advisory lock. Only within the same life a missing lock proves a death.',
    ],
    [
      'COLUMN',
      'runner_lease.lock_session',
      'The advisory lock that the process holds while it lives: its key, random for each session, and the backend.',
    ],
    [
      'COLUMN',
      'runner_lease.login',
      'The role of the process. Of the connections with its application_name, only those of this role belong to it.',
    ],
    [
      'COLUMN',
      'runner_lease.expires_at',
      'Renewed while the process lives. After this time other processes may take its claims.',
    ],

    ['VIEW', 'task', 'Tasks of executions with their names, for manual queries.'],
    ['COLUMN', 'task.process', 'Host and process id of the owner while the task is Running.'],
  ];
  return comments
    .map(([kind, name, text]) => `COMMENT ON ${kind} ${schema}.cloacina_${name} IS '${text}';`)
    .join('\n');
}

/** Creates the tables that workflows run on. */
export class CreateCloacinaTables1735689600000 implements MigrationInterface {
  // Explicit, because a minifier may rename the class, and the history would no longer recognize it.
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
