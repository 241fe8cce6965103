import type { Client } from 'pg';

const HISTORY = 'cloacina_migrations';
const TASK = 'cloacina_task_execution';

/**
 * What a tenant puts into its own schema to have it run by a session with more rights: each of these functions writes
 * down who runs it, and reads the neighbor's secret with the rights that it has then.
 */
export function hostileObjects(schema: string, loot: string, secret: string): string {
  return `
    CREATE FUNCTION rob(how text) RETURNS boolean LANGUAGE plpgsql AS $f$
    DECLARE found text;
    BEGIN
      BEGIN
        PERFORM set_config('role', 'none', false);
        EXECUTE 'SELECT text FROM ${secret}' INTO found;
      EXCEPTION WHEN OTHERS THEN found := NULL;
      END;
      INSERT INTO ${loot} (how, who, found) VALUES (how, session_user, found);
      RETURN true;
    END $f$;
    CREATE FUNCTION rob_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $f$
    BEGIN PERFORM ${schema}.rob(TG_NAME); RETURN coalesce(NEW, OLD); END $f$;
    CREATE FUNCTION sure(integer) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
      'BEGIN RETURN ${schema}.rob(''index''); END';
    CREATE TYPE sly AS (value text);
    CREATE FUNCTION to_text(sly) RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN PERFORM ${schema}.rob('cast'); RETURN ($1).value; END $f$;
    CREATE CAST (sly AS text) WITH FUNCTION to_text(sly) AS ASSIGNMENT;
    CREATE FUNCTION count(text) RETURNS bigint LANGUAGE sql AS $f$ SELECT ${schema}.rob('count')::integer::bigint $f$;
    CREATE FUNCTION lower(name) RETURNS text LANGUAGE sql AS $f$ SELECT ${schema}.rob('lower')::text $f$;
    CREATE FUNCTION pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $f$ SELECT ${schema}.rob('userbyid')::text::name $f$;
    CREATE FUNCTION has_schema_privilege(oid, text) RETURNS boolean LANGUAGE sql AS $f$ SELECT ${schema}.rob('privilege') $f$;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
    GRANT USAGE ON SCHEMA ${schema} TO PUBLIC;
    GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO PUBLIC;
    DO $d$ DECLARE c record; BEGIN
      FOR c IN SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = '${TASK}'::regclass LOOP
        EXECUTE format('ALTER TABLE ${TASK} DROP CONSTRAINT %I', c.conname);
      END LOOP;
    END $d$;
    INSERT INTO ${TASK} (execution_id, task_no, definition_id, status) VALUES (gen_random_uuid(), 0, 0, 'Ready');`;
}

/** Ways in which the tables can be made to run the functions above; each is tried on a tenant of its own. */
export const TRAPS: readonly (readonly [name: string, sql: string])[] = [
  [
    'a column of a type with a cast of its own',
    `ALTER TABLE ${HISTORY} ALTER name TYPE sly USING ROW(name)::sly`,
  ],
  [
    'a view in place of a table',
    `ALTER TABLE ${HISTORY} RENAME TO hidden;
     CREATE VIEW ${HISTORY} AS SELECT id, name, timestamp FROM hidden WHERE rob('view');
     ALTER TABLE ${TASK} RENAME TO hidden_task;
     CREATE VIEW ${TASK} AS SELECT * FROM hidden_task WHERE rob('view')`,
  ],
  [
    'row-level security',
    `ALTER TABLE ${HISTORY} ENABLE ROW LEVEL SECURITY; ALTER TABLE ${HISTORY} FORCE ROW LEVEL SECURITY;
     CREATE POLICY p ON ${HISTORY} USING (rob('policy'));
     ALTER TABLE ${TASK} ENABLE ROW LEVEL SECURITY; ALTER TABLE ${TASK} FORCE ROW LEVEL SECURITY;
     CREATE POLICY p ON ${TASK} USING (rob('policy'))`,
  ],
  [
    'triggers',
    `CREATE TRIGGER row_trigger BEFORE UPDATE OR DELETE OR INSERT ON ${TASK} FOR EACH ROW EXECUTE FUNCTION rob_by_trigger();
     CREATE TRIGGER statement_trigger BEFORE UPDATE ON ${TASK} EXECUTE FUNCTION rob_by_trigger();
     CREATE TRIGGER history_trigger BEFORE UPDATE OR DELETE OR INSERT ON ${HISTORY} EXECUTE FUNCTION rob_by_trigger()`,
  ],
  ['a rule', `CREATE RULE r AS ON UPDATE TO ${TASK} DO ALSO SELECT rob('rule')`],
  ['a constraint', `ALTER TABLE ${TASK} ADD CHECK (rob('check')) NOT VALID`],
  [
    'an index',
    `CREATE INDEX ON ${TASK} (sure(task_no)); CREATE INDEX ON ${TASK} (task_no) WHERE sure(1);
     CREATE INDEX ON ${HISTORY} (id) WHERE sure(1)`,
  ],
  [
    'a table that inherits',
    `CREATE TABLE child () INHERITS (${TASK});
     CREATE TRIGGER child_trigger BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION rob_by_trigger();
     INSERT INTO child (execution_id, task_no, definition_id, status) VALUES (gen_random_uuid(), 0, 0, 'Ready')`,
  ],
];

/** What was run with more rights than the tenant's. */
export async function lootOf(owner: Client, loot: string, tenant: string): Promise<unknown[]> {
  const { rows } = await owner.query<{ how: string; who: string; found: string | null }>(
    `SELECT DISTINCT how, who, found FROM ${loot} WHERE who <> $1 OR found IS NOT NULL`,
    [tenant],
  );
  return rows;
}
