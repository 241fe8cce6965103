import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tables of an application, with one of each thing that a move has to carry. Unqualified, as migrations are. */
export class CreateShop1700000000000 implements MigrationInterface {
  readonly name = 'CreateShop1700000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
      CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
      CREATE TYPE size AS (width integer, height integer);
      CREATE TABLE customer (
        id serial PRIMARY KEY,
        name text NOT NULL UNIQUE,
        colours colour[] NOT NULL DEFAULT '{red}',
        photo bytea,
        facts jsonb,
        purchases integer NOT NULL DEFAULT 0
      );
      CREATE TABLE purchase (
        id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000) PRIMARY KEY,
        customer_id integer NOT NULL REFERENCES customer ON DELETE CASCADE,
        amount numeric(12, 2),
        at timestamptz,
        parts positive,
        box size,
        note text,
        shout text GENERATED ALWAYS AS (upper(coalesce(note, ''))) STORED
      );
      CREATE INDEX purchase_customer_idx ON purchase (customer_id, at DESC);
      CREATE TABLE node (id uuid PRIMARY KEY, parent uuid REFERENCES node DEFERRABLE INITIALLY DEFERRED);
      CREATE TABLE line (text text, at timestamptz);
      CREATE TABLE "Odd Name" ("the key" integer, "and""more" text, ratio float8, days interval, PRIMARY KEY ("and""more", "the key"));
      CREATE SEQUENCE ticket START WITH 100 INCREMENT BY 5;
      CREATE FUNCTION count_purchase() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        EXECUTE format('UPDATE %I.customer SET purchases = purchases + 1 WHERE id = $1', TG_TABLE_SCHEMA) USING NEW.customer_id;
        RETURN NULL;
      END $$;
      CREATE TRIGGER count_purchase AFTER INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION count_purchase();
      CREATE VIEW red AS SELECT id, name FROM customer WHERE 'red' = ANY (colours);
      CREATE MATERIALIZED VIEW spent AS SELECT customer_id, sum(amount) AS amount FROM purchase GROUP BY 1;
      INSERT INTO customer (name) VALUES ('of the migration');`);
  }

  async down(): Promise<void> {
    // It is never run here.
  }
}

/** Rows of the application: large ones, empty ones, and those that other rows name. */
export const SHOP_ROWS = `
  INSERT INTO customer (name, colours, photo, facts)
    SELECT 'customer ' || n, ARRAY['green', 'blue']::colour[], decode(md5(n::text), 'hex'), jsonb_build_object('n', n)
      FROM generate_series(1, 500) n;
  INSERT INTO customer (name, photo) SELECT 'large', convert_to(string_agg(md5(n::text), ''), 'UTF8') FROM generate_series(1, 160000) n;
  INSERT INTO purchase (customer_id, amount, at, parts, box, note)
    SELECT c.id, c.id * 1.25, 'epoch'::timestamptz + c.id * interval '1 day', 1 + c.id % 7, ROW(c.id, 2)::size, CASE WHEN c.id % 3 > 0 THEN 'a\\tb\\' || c.id END
      FROM customer c;
  INSERT INTO node SELECT md5(n::text)::uuid, CASE WHEN n > 1 THEN md5((n - 1)::text)::uuid END FROM generate_series(1, 50) n;
  INSERT INTO line SELECT 'line ' || n, NULL FROM generate_series(1, 20) n;
  INSERT INTO "Odd Name" VALUES (1, 'a', 'NaN', '1 month -2 days'), (1, 'b', -0.1, NULL), (2, 'a', 'Infinity', '0');
  REFRESH MATERIALIZED VIEW spent;
  SELECT nextval('ticket'), nextval('ticket');`;

/** Changes of each kind: of rows, of keys, deletions, and rows that take the key of a deleted one. */
export const SHOP_CHANGES = `
  UPDATE customer SET facts = facts || '{"changed": true}' WHERE id % 5 = 0;
  DELETE FROM customer WHERE id % 50 = 3;
  UPDATE purchase SET note = 'changed' WHERE id % 11 = 0;
  INSERT INTO customer (name) SELECT 'customer ' || n FROM generate_series(1, 500) n WHERE NOT EXISTS
    (SELECT FROM customer WHERE name = 'customer ' || n);
  UPDATE customer SET name = 'free' WHERE name = 'customer 7';
  UPDATE customer SET name = 'customer 7' WHERE name = 'customer 8';
  UPDATE customer SET name = 'customer 8' WHERE name = 'free';
  INSERT INTO purchase (customer_id, amount) SELECT id, 1 FROM customer ORDER BY id DESC LIMIT 5;
  UPDATE "Odd Name" SET "the key" = 7 WHERE "and""more" = 'b';
  DELETE FROM node WHERE id = md5('50')::uuid;
  DELETE FROM line WHERE text = 'line 3';
  INSERT INTO line VALUES ('line 4', '2026-01-01Z');
  REFRESH MATERIALIZED VIEW spent;
  SELECT nextval('ticket')`;

/** A row in each of the library's tables that executions of the tests leave empty. */
export const LIBRARY_ROWS = `
  INSERT INTO cloacina_workflow_definition (id, hash, name, definition, task_names) VALUES (-1, 'h', 'old', '{}', '{a,b}');
  INSERT INTO cloacina_workflow_execution (id, workflow, definition_id, status, idempotency_key, tags, input, context, remaining_leaves,
      created_at, completed_at, admission_key)
    SELECT md5(n::text)::uuid, 'old', -1, 'Completed', 'key ' || n, '{"n": 1}', '{}', '{"n": 1}', 0, now(), now(), 'k'
      FROM generate_series(1, 300) n;
  INSERT INTO cloacina_task_execution (execution_id, task_no, definition_id, status, claim_token, output, attempts, deleted_keys, limit_key)
    SELECT md5(n::text)::uuid, t, -1, 'Completed', n * 4 + 1, '{"a": 1}', '[]', '{x}', 'limit' || chr(31) || n
      FROM generate_series(1, 300) n, generate_series(0, 1) t;
  INSERT INTO cloacina_task_step (execution_id, task_no, item_no, name, kind, status, result)
    VALUES (md5('1')::uuid, 0, 0, 'step', 'step', 'Done', '{"r": 1}');
  INSERT INTO cloacina_signal (execution_id, name, payload) VALUES (md5('1')::uuid, 'approve', '{"by": "ada"}');
  INSERT INTO cloacina_task_progress (execution_id, task_no, item_no, value) VALUES (md5('1')::uuid, 0, 0, '0.5');
  INSERT INTO cloacina_event_subscription VALUES ('paid', 'old');
  INSERT INTO cloacina_event_start (signal_id, workflow, event_name, due_at) VALUES (1, 'unknown', 'paid', '2100-01-01Z');
  INSERT INTO cloacina_limit (name, concurrency) VALUES ('limit', 3);
  INSERT INTO cloacina_limit_slot (limit_key, h_execution, h_task, h_item, h_token, h_at)
    VALUES ('limit' || chr(31) || '1', ARRAY[md5('1')::uuid], '{0}', '{0}', '{5}', ARRAY[now()]);
  INSERT INTO cloacina_schedule (name, workflow, spec, origin, state) VALUES ('nightly', 'old', '{}', 'api', 'paused');
  INSERT INTO cloacina_schedule_firing (schedule, scheduled_for, outcome) VALUES ('nightly', '2026-01-01Z', 'started');
  INSERT INTO cloacina_state (name, value) VALUES ('cursor', '{"at": 7}');
  INSERT INTO cloacina_paused_workflow (workflow, reason) VALUES ('paused', 'test');
  INSERT INTO cloacina_action (kind, subject, actor, call_id) VALUES ('pauseWorkflow', 'paused', 'ada', md5('2')::uuid);
  INSERT INTO cloacina_retention (rules) VALUES ('{"a": 1}') ON CONFLICT (id) DO UPDATE SET rules = EXCLUDED.rules;
  INSERT INTO cloacina_kept_key (workflow, idempotency_key, execution_id, expires_at) VALUES ('old', 'k', md5('1')::uuid, '2100-01-01Z');
  INSERT INTO cloacina_execution_event (execution_id, kind, detail) VALUES (md5('1')::uuid, 'end', '{"status": "Completed"}');
  INSERT INTO cloacina_recovery_event (execution_id, task_no, kind, cause) VALUES (md5('1')::uuid, 0, 'recovered', 'boot');`;

/** What happens to executions between the first copy and the stop: retention, a manual retry, a key that is free again. */
export const LIBRARY_CHANGES = `
  DELETE FROM cloacina_workflow_execution WHERE id IN (SELECT md5(n::text)::uuid FROM generate_series(1, 40) n);
  DELETE FROM cloacina_task_execution WHERE execution_id IN (SELECT md5(n::text)::uuid FROM generate_series(1, 40) n);
  INSERT INTO cloacina_workflow_execution (id, workflow, definition_id, status, idempotency_key, input, remaining_leaves)
    VALUES (md5('again')::uuid, 'old', -1, 'Completed', 'key 1', '{}', 0);
  UPDATE cloacina_workflow_execution SET status = 'Running', completed_at = NULL, generation = 1 WHERE id = md5('50')::uuid;
  UPDATE cloacina_task_execution SET status = 'Ready', claim_token = claim_token + 4, generation = 1
   WHERE execution_id = md5('50')::uuid AND task_no = 1;
  UPDATE cloacina_schedule SET version = version + 1;
  DELETE FROM cloacina_task_progress`;
