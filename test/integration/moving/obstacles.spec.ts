import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { connectAdmin, createDatabase, databaseUrl } from '../../support/postgres.js';
import { cases } from '../../support/sizes.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { acceptsWrites, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import { CreateShop1700000000000 } from './shop.js';

let eu = '';
let us = '';
let admin: CloacinaAdmin;
beforeAll(async () => {
  [eu, us] = await Promise.all([scratchDatabase(), scratchDatabase()]);
  admin = new CloacinaAdmin({ servers: { eu: { databaseUrl: eu }, us: { databaseUrl: us } } });
});

const migrations = [CreateShop1700000000000];

/** What a move says before it stops anything. Nothing is left of it. */
async function problemsOf(schema: string, dryRun: boolean): Promise<readonly string[]> {
  const failure: unknown = await admin
    .moveTenant({ schema, to: 'us', migrations, dryRun })
    .then(() => ({ problems: [] }))
    .catch((error: unknown) => error);
  expect(await stateOf(eu, schema)).toBe('live');
  expect(await acceptsWrites(eu, schema)).toBe(true);
  return (failure as { readonly problems: readonly string[] }).problems;
}

const OBSTACLES: readonly (readonly [what: string, sql: string, problem: RegExp])[] = [
  [
    'a table',
    'CREATE TABLE extra (id integer PRIMARY KEY)',
    /No migration makes the table "extra"/,
  ],
  ['a column', 'ALTER TABLE customer ADD extra text', /the column "customer\.extra"/],
  [
    'a type of a column',
    'ALTER TABLE customer ALTER facts TYPE json',
    /column "customer\.facts" is not as/,
  ],
  [
    'a default',
    `ALTER TABLE customer ALTER name SET DEFAULT 'x'`,
    /column "customer\.name" is not as/,
  ],
  ['an index', 'CREATE INDEX extra ON customer (name)', /the index "customer\.extra"/],
  ['a missing index', 'DROP INDEX purchase_customer_idx', /which the schema does not have/],
  [
    'a constraint',
    'ALTER TABLE customer ADD CONSTRAINT extra CHECK (id > 0)',
    /the constraint "customer\.extra"/,
  ],
  ['a sequence', 'CREATE SEQUENCE extra', /the sequence "extra"/],
  [
    'a function',
    'CREATE FUNCTION extra() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$',
    /the function "extra\(\)"/,
  ],
  [
    'a trigger',
    'CREATE TRIGGER extra AFTER INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION count_purchase()',
    /the trigger "purchase\.extra"/,
  ],
  ['a policy', 'CREATE POLICY extra ON customer USING (true)', /the policy "customer\.extra"/],
  ['row security', 'ALTER TABLE customer ENABLE ROW LEVEL SECURITY', /table "customer" is not as/],
  ['a type', `CREATE TYPE extra AS ENUM ('a')`, /the type "extra"/],
  ['a label of a type', `ALTER TYPE colour ADD VALUE 'black'`, /type "colour" is not as/],
  ['a view', 'CREATE VIEW extra AS SELECT 1 AS one', /the view "extra"/],
  [
    'statistics',
    'CREATE STATISTICS extra ON id, name FROM customer',
    /the statistics object "extra"/,
  ],
  [
    'a rule',
    'CREATE RULE extra AS ON DELETE TO line DO INSTEAD NOTHING',
    /The rule extra of the table line/,
  ],
  [
    'a partitioned table',
    'CREATE TABLE extra (id integer) PARTITION BY LIST (id)',
    /partitioned table extra can't be copied/,
  ],
  ['inheritance', 'CREATE TABLE extra () INHERITS (line)', /table extra inherits/],
  ['large objects', 'ALTER TABLE customer ADD scan oid', /column customer\.scan has the type oid/],
  [
    'a foreign key out of the schema',
    'CREATE TABLE IF NOT EXISTS public.country (id integer PRIMARY KEY); ALTER TABLE customer ADD country integer REFERENCES public.country',
    /leads out of the schema, to .*country/,
  ],
  [
    'a view of another schema',
    'CREATE VIEW public.all_customers AS SELECT name FROM customer',
    /An object outside of the schema depends on it: .*all_customers/,
  ],
];

describe('a move finds before anything stops', () => {
  it('that there is none', async () => {
    const schema = await makeTenant(eu, migrations);
    expect(await problemsOf(schema, true)).toEqual([]);
    expect(await stateOf(us, schema)).toBeUndefined();
  });

  it.each(cases(OBSTACLES, (_, n) => n % 3 === 0))('%s', async (_what, sql, problem) => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) => client.query(sql));
    expect(await problemsOf(schema, false)).toContainEqual(expect.stringMatching(problem));
    expect(await stateOf(us, schema)).toBeUndefined();
    await onDatabase(eu, schema, (client) => client.query(`DROP SCHEMA ${schema} CASCADE`));
  });

  it('all of them at once', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) =>
      client.query('CREATE TABLE extra (id oid); CREATE SEQUENCE numbers; DROP VIEW red'),
    );
    expect(await problemsOf(schema, true)).toEqual([
      expect.stringContaining('extra.id has the type oid'),
      'No migration makes the table "extra". Add one, or drop it.',
      'No migration makes the sequence "numbers". Add one, or drop it.',
      'The migrations make the view "red", which the schema does not have.',
    ]);
  }, 60_000);

  it('a large table without a primary key', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) =>
      client.query(
        `ALTER TABLE line ALTER text SET STORAGE EXTERNAL;
         INSERT INTO line SELECT repeat(n::text, 1000000) FROM generate_series(10, 50) n`,
      ),
    );
    expect(await problemsOf(schema, true)).toEqual([
      expect.stringContaining('The table line has no primary key and more than 64 MiB'),
    ]);
    await onDatabase(eu, schema, (client) => client.query(`DROP SCHEMA ${schema} CASCADE`));
  }, 60_000);

  it('a schema of that name on the new server, which it leaves alone', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(us, 'public', (client) =>
      client.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.mine AS SELECT 1 AS one`),
    );
    expect(await problemsOf(schema, false)).toEqual([
      expect.stringContaining('has a schema of that name'),
    ]);
    const { rows } = await onDatabase(us, schema, (client) => client.query('SELECT * FROM mine'));
    expect(rows).toEqual([{ one: 1 }]);
  });

  it('a migration that fails on the new server, such as for an extension that it lacks', async () => {
    class Fails extends CreateShop1700000000000 {
      override async up(): Promise<void> {
        throw new Error('type "geometry" does not exist');
      }
    }
    const schema = await makeTenant(eu, migrations);
    const moving = admin.moveTenant({ schema, to: 'us', migrations: [Fails] });
    await expect(moving).rejects.toMatchObject({
      code: 'MOVE_NOT_POSSIBLE',
      problems: [expect.stringMatching(/could not be made on server "us": .*geometry/)],
    });
    expect(await stateOf(us, schema)).toBeUndefined();
    expect(await stateOf(eu, schema)).toBe('live');
  });
});

describe('databases that differ', () => {
  const latin = `latin_${process.pid}_${Date.now()}`;
  afterAll(async () => {
    const client = await connectAdmin();
    await client.query(`DROP DATABASE IF EXISTS ${latin} WITH (FORCE)`);
    await client.end();
  });

  it('in their encoding are an obstacle', async () => {
    const client = await connectAdmin();
    await createDatabase(
      client,
      `${latin} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    await client.end();
    const url = new URL(databaseUrl());
    url.pathname = `/${latin}`;
    const schema = await makeTenant(eu, migrations);
    const other = new CloacinaAdmin({
      servers: { eu: { databaseUrl: eu }, latin: { databaseUrl: url.href } },
    });
    await expect(
      other.moveTenant({ schema, to: 'latin', migrations, dryRun: true }),
    ).rejects.toMatchObject({
      problems: expect.arrayContaining([
        expect.stringMatching(/differ in their encoding: UTF8 .* LATIN1/),
      ]),
    });
  });
});
