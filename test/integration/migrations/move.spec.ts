import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  InvalidArgumentError,
  MigrationError,
  NotAllowedError,
  PermissionError,
  SchemaNameError,
} from '../../../lib/errors/index.js';
import { findObjects } from '../../../lib/tenants/migrations/move-statements.js';
import { lockSchema } from '../../../lib/tenants/migrations/schema-lock.js';
import { connectAdmin } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { catalogOf, historyOf, shapeOf } from './catalog.js';
import { killMoves, OBJECTS } from './killed-migrations.js';
import { withTenant } from './open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from './scratch-database.js';
import { killedBefore } from './stepwise.js';

/** Of a machine that has other things to do. */
const BUSY = { deadline: 60_000 };

const FIRST = 'CreateCloacinaTables1735689600000';

let database: ScratchDatabase;
let made = 0;
beforeAll(async () => {
  database = await createScratchDatabase();
});
afterAll(() => database.drop());

/** A migrated schema, and the name of one that it may move to. */
async function migrated(): Promise<{ schema: string; target: string }> {
  const schema = `from_${++made}`;
  await withTenant(schema, { url: database.url }, ({ migrator }) => migrator.ensure());
  return { schema, target: `to_${made}` };
}

function move(schema: string, target: string, url = database.url): Promise<void> {
  return withTenant(schema, { url }, ({ migrator }) => migrator.moveTo(target));
}

/** What the library has there. */
function objectsOf(schema: string): Promise<readonly { kind: string; name: string }[]> {
  return findObjects(database.admin, schema);
}

test('tables, indexes, sequences, comments and the history move; nothing of the library is left', async () => {
  const { admin } = database;
  const { schema, target } = await migrated();
  await admin.query(`CREATE TABLE ${schema}.invoice (id integer)`);
  const shape = (await shapeOf(admin, schema)).filter((line) => !line.includes('invoice'));

  await move(schema, target);

  expect(await shapeOf(admin, target)).toEqual(
    shape.map((line) => line.replaceAll(schema, target)),
  );
  expect(await shapeOf(admin, schema)).toMatchObject(
    [/^class \| r \| invoice/, /invoice/].map((m) => expect.stringMatching(m)),
  );
  expect(await historyOf(admin, target)).toEqual([FIRST]);
  await withTenant(target, { url: database.url }, async ({ migrator }) => {
    expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [] });
    expect(await migrator.revert()).toBe(FIRST);
    expect(await migrator.run()).toEqual([FIRST]);
  });
});

test('whatever else bears the prefix moves too: views, types, functions, sequences', async () => {
  const { admin } = database;
  const { schema, target } = await migrated();
  await admin.query(`
    SET search_path TO ${schema};
    CREATE VIEW cloacina_running AS SELECT * FROM cloacina_task_execution WHERE status = 'Running';
    CREATE MATERIALIZED VIEW cloacina_daily AS SELECT count(*) FROM cloacina_task_execution;
    CREATE TYPE cloacina_colour AS ENUM ('red');
    CREATE TYPE cloacina_pair AS (a integer, b integer);
    CREATE DOMAIN cloacina_name AS text;
    CREATE SEQUENCE cloacina_numbers;
    CREATE FUNCTION cloacina_twice(n integer, unit cloacina_colour) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';
    CREATE FUNCTION cloacina_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE INSERT ON cloacina_execution_event FOR EACH ROW EXECUTE FUNCTION cloacina_trigger();
    CREATE INDEX mine ON cloacina_execution_event (kind);
    RESET search_path`);
  const before = await objectsOf(schema);
  expect(new Set(before.map(({ kind }) => kind))).toEqual(
    new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'TYPE', 'SEQUENCE', 'ROUTINE']),
  );

  await move(schema, target);

  const unqualified = (names: readonly { name: string }[]): string[] =>
    names.map(({ name }) => name.replaceAll(`${schema}.`, '').replaceAll(`${target}.`, ''));
  expect(unqualified(await objectsOf(target))).toEqual(unqualified(before));
  const { rows } = await admin.query(
    `SELECT 'class', relname::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace
     UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = $1::regnamespace
     UNION ALL SELECT 'routine', proname FROM pg_proc WHERE pronamespace = $1::regnamespace
     UNION ALL SELECT 'constraint', conname FROM pg_constraint WHERE connamespace = $1::regnamespace`,
    [schema],
  );
  expect(rows).toEqual([]);
});

test('a schema that is there already is moved to, and its owner and grants stay', async () => {
  const { admin } = database;
  const { schema, target } = await migrated();
  await admin.query(`CREATE SCHEMA ${target}; CREATE TABLE ${target}.invoice (id integer)`);
  await move(schema, target);
  expect(await objectsOf(schema)).toEqual([]);
  expect((await objectsOf(target)).length).toBe(OBJECTS);
});

describe('it is refused, and nothing is changed,', () => {
  async function expectRefusal(
    schema: string,
    target: string,
    error: new (...args: never[]) => Error,
    message: RegExp,
  ): Promise<void> {
    const { admin } = database;
    const before = [await catalogOf(admin, schema), await catalogOf(admin, target)];
    const refused: unknown = await move(schema, target).catch((reason: unknown) => reason);
    expect(refused).toBeInstanceOf(error);
    expect(String(refused)).toMatch(message);
    expect([await catalogOf(admin, schema), await catalogOf(admin, target)]).toEqual(before);
  }

  test('while another process holds a lease', async () => {
    const { schema, target } = await migrated();
    await database.admin.query(
      `INSERT INTO ${schema}.cloacina_runner_lease (instance_id, process_id, name, expires_at)
       VALUES (gen_random_uuid(), gen_random_uuid(), 'host-7 4711', now() + interval '1h')`,
    );
    await expectRefusal(schema, target, NotAllowedError, /host-7 4711 has a lease there/);
  });

  test('when a lease appears while it waits for the tables', async () => {
    const { admin } = database;
    const { schema, target } = await migrated();
    await admin.query('BEGIN');
    await admin.query(
      `INSERT INTO ${schema}.cloacina_runner_lease (instance_id, process_id, name, expires_at)
       VALUES (gen_random_uuid(), gen_random_uuid(), 'late 1', now() + interval '1h')`,
    );
    const refused = move(schema, target).catch((reason: unknown) => reason);
    await waitFor(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows.length > 0;
    }, BUSY);
    await admin.query('COMMIT');
    expect(String(await refused)).toMatch(/late 1 has a lease there/);
    expect((await objectsOf(schema)).length).toBe(OBJECTS);
    expect(await objectsOf(target)).toEqual([]);
  });

  test('when the other schema has the library’s tables', async () => {
    const { schema } = await migrated();
    const other = await migrated();
    await expectRefusal(
      schema,
      other.schema,
      NotAllowedError,
      /already has cloacina_\w+, .* and more/,
    );
  });

  test('when the other schema has something else of such a name', async () => {
    const { schema, target } = await migrated();
    await database.admin.query(
      `CREATE SCHEMA ${target}; CREATE SEQUENCE ${target}.cloacina_migrations_id_seq`,
    );
    await expectRefusal(schema, target, NotAllowedError, /already has cloacina_migrations_id_seq/);
  });

  test('when an index of that name is there', async () => {
    const { schema, target } = await migrated();
    await database.admin.query(
      `CREATE SCHEMA ${target}; CREATE TABLE ${target}.mine (kind text);
       CREATE INDEX audit_idx ON ${target}.mine (kind);
       CREATE INDEX audit_idx ON ${schema}.cloacina_execution_event (kind)`,
    );
    await expectRefusal(schema, target, NotAllowedError, /already has audit_idx/);
  });

  test('when there is nothing to move', async () => {
    const { schema, target } = await migrated();
    await move(schema, target);
    await expectRefusal(
      schema,
      target,
      NotAllowedError,
      /none of the library's tables\. "to_\d+" does; if an earlier/,
    );
    await expectRefusal('nowhere', 'elsewhere', NotAllowedError, /Check the name of the schema/);
  });

  test('when a newer version has migrated it', async () => {
    const { schema, target } = await migrated();
    await database.admin.query(
      `INSERT INTO ${schema}.cloacina_migrations (timestamp, name) VALUES (4102444800000, 'Newer4102444800000')`,
    );
    await expectRefusal(schema, target, MigrationError, /newer version/);
  });

  test.each(['1st', 'pg_mine', 'a"b', '', 'x'.repeat(64)])('to %p', async (target) => {
    const { schema } = await migrated();
    await expect(move(schema, target)).rejects.toBeInstanceOf(SchemaNameError);
  });

  test('to itself', async () => {
    const { schema } = await migrated();
    await expect(move(schema, schema)).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  test('to a login that may create no schemas, with the missing grant', async () => {
    const { admin } = database;
    const role = `mover_${database.name}`;
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret-of-mover'`);
    try {
      await admin.query(`CREATE SCHEMA of_mover AUTHORIZATION ${role}`);
      const url = database.urlOf(role, 'secret-of-mover');
      await withTenant('of_mover', { url }, ({ migrator }) => migrator.ensure());
      const refused: unknown = await move('of_mover', 'new_of_mover', url).catch(
        (reason: unknown) => reason,
      );
      expect(refused).toBeInstanceOf(PermissionError);
      expect(String(refused)).toMatch(/create the schema "new_of_mover".*GRANT CREATE ON DATABASE/);
      await admin.query(`CREATE SCHEMA new_of_mover`);
      const again: unknown = await move('of_mover', 'new_of_mover', url).catch(
        (reason: unknown) => reason,
      );
      expect(String(again)).toMatch(/GRANT .*CREATE ON SCHEMA "new_of_mover" TO/);
      await admin.query(`GRANT USAGE, CREATE ON SCHEMA new_of_mover TO ${role}`);
      await move('of_mover', 'new_of_mover', url);
      expect((await objectsOf('new_of_mover')).length).toBe(OBJECTS);
    } finally {
      await admin.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
    }
  });
});

test('of two moves to one schema at once one is made, and the other told', async () => {
  const [a, b] = [await migrated(), await migrated()];
  const moves = [a, b].map(({ schema }) => move(schema, 'both_want_this'));
  const results = await Promise.allSettled(moves);
  const refused = results.filter((result) => result.status === 'rejected');
  expect(refused.map(({ reason }) => (reason as Error).name)).toEqual(['NotAllowedError']);
  expect((await objectsOf('both_want_this')).length).toBe(OBJECTS);
  expect((await objectsOf(a.schema)).length + (await objectsOf(b.schema)).length).toBe(OBJECTS);
});

test.each(['schema', 'target'] as const)('it waits for who migrates the %s', async (which) => {
  const { admin } = database;
  const places = await migrated();
  await admin.query('BEGIN');
  await lockSchema(admin, places[which]);
  const moving = move(places.schema, places.target);
  await waitFor(async () => {
    const { rows } = await admin.query(
      `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.length > 0;
  }, BUSY);
  expect((await objectsOf(places.schema)).length).toBe(OBJECTS);
  await admin.query('COMMIT');
  await moving;
  expect((await objectsOf(places.target)).length).toBe(OBJECTS);
});

test('a query that reads a view and a move do not lock each other out', async () => {
  const { schema, target } = await migrated();
  const [holder, reader] = await Promise.all([
    connectAdmin(database.url),
    connectAdmin(database.url),
  ]);
  const waiting = async (count: number): Promise<void> => {
    await waitFor(async () => {
      const { rows } = await database.admin.query(
        `SELECT 1 FROM pg_locks WHERE NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows.length >= count;
    }, BUSY);
  };
  await holder.query(`BEGIN; LOCK TABLE ${schema}.cloacina_task_execution`);
  // It has the view by now, and waits for the first of its tables.
  const reading = reader.query(`SELECT * FROM ${schema}.cloacina_task`);
  await waiting(1);
  const moving = move(schema, target);
  await waiting(2);
  // The move waits behind it for the view, and keeps none of the other tables from it.
  const { rows: locked } = await database.admin.query(
    `SELECT relation::regclass::text AS name FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'
       AND relation::regclass::text LIKE $1`,
    [`${schema}.%`],
  );
  expect(locked).toEqual([{ name: `${schema}.cloacina_task_execution` }]);
  await holder.query('COMMIT');
  await Promise.all([reading, moving]);
  expect((await objectsOf(target)).length).toBe(OBJECTS);
  await Promise.all([holder.end(), reader.end()]);
});

// `test/faults/killed-migrations.spec.ts` has all points.
test('a process that is killed leaves it all on one side', async () => {
  const points = [killedBefore('LOCK TABLE'), killedBefore('SET SCHEMA'), killedBefore('COMMIT')];
  expect(await killMoves(points, database)).toHaveLength(points.length);
});
