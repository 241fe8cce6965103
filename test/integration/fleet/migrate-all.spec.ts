import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  DatabaseUnavailableError,
  InvalidArgumentError,
  MigrationError,
} from '../../../lib/errors/index.js';
import { migrateFleet } from '../../../lib/tenants/migrations/migrate-fleet.js';
import { lockSchema } from '../../../lib/tenants/migrations/schema-lock.js';
import { startChild } from '../../support/child-process.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { shapeOf } from '../migrations/catalog.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { statementsOf } from '../migrations/statements-of.js';
import { type Fleet, type FleetOptions, openFleet, schemaNames } from './open-fleet.js';

/** Of a machine that has other things to do. */
const BUSY = { deadline: 60_000 };

const FIRST = 'CreateCloacinaTables1735689600000';
/** More than are asked about in one statement, or in `npm test` more than are migrated at once. */
const MANY = sized(200, 20);
const many = schemaNames('many', MANY);

let database: ScratchDatabase;
const opened: Fleet[] = [];
beforeAll(async () => {
  database = await createScratchDatabase();
});
afterAll(() => database.drop());
afterEach(() => Promise.all(opened.splice(0).map((fleet) => fleet.close())));

function open(schemas: readonly string[], options: Partial<FleetOptions> = {}): Fleet {
  const fleet = openFleet({ url: database.url, schemas, ...options });
  opened.push(fleet);
  return fleet;
}

test(`${MANY} tenants are migrated, each is reported on, and a second time takes two statements`, async () => {
  const schemas = many;
  const { migrators } = open(schemas);
  const progress: [number, number][] = [];

  const report = await migrateFleet(migrators, {
    onProgress: (done, total) => progress.push([done, total]),
  });

  expect(report).toEqual(schemas.map((schema) => ({ tenant: `of ${schema}`, applied: [FIRST] })));
  expect(progress).toEqual(schemas.map((_, i) => [i + 1, MANY]));

  let again: unknown;
  const statements = await statementsOf(async () => {
    again = await migrateFleet(migrators);
  });
  expect(again).toEqual(schemas.map((schema) => ({ tenant: `of ${schema}`, applied: [] })));
  expect(statements).toHaveLength(2);
}, 300_000);

test('tenants that fail stop no other one, and are not migrated by halves', async () => {
  const migrated = many.slice(0, 15);
  const schemas = [...migrated, ...schemaNames('failing', 5)];
  await migrateFleet(open(migrated).migrators);
  const { admin } = database;
  await admin.query(
    `INSERT INTO many_5.cloacina_migrations (timestamp, name) VALUES (4102444800000, 'Newer4102444800000')`,
  );
  await admin.query('ALTER TABLE many_11.cloacina_migrations RENAME COLUMN name TO title');
  await admin.query('CREATE SCHEMA failing_3; CREATE TABLE failing_3.cloacina_runner_lease ()');

  let report: Awaited<ReturnType<typeof migrateFleet>> = [];
  const statements = await statementsOf(async () => {
    report = await migrateFleet(open(schemas).migrators);
  });

  const failed = report.filter(({ error }) => error !== undefined);
  expect(failed.map(({ tenant }) => tenant)).toEqual(
    ['many_5', 'many_11', 'failing_3'].map((schema) => `of ${schema}`),
  );
  for (const { applied, error } of failed) {
    expect(applied).toEqual([]);
    expect(error).toBeInstanceOf(MigrationError);
  }
  const ofNew = report.slice(15).filter(({ error }) => error === undefined);
  expect(ofNew).toHaveLength(4);
  expect(ofNew.map(({ applied }) => applied)).toEqual(ofNew.map(() => [FIRST]));
  expect(await shapeOf(admin, 'failing_4')).toEqual(await shapeOf(admin, 'many_0'));
  expect((await shapeOf(admin, 'failing_3')).length).toBeLessThan(3);
  // The one that can't be read costs the others a look by halves, and none of them a look of its own.
  const looks = statements.filter((text) => text.includes('array_agg(name'));
  expect(looks.length).toBeGreaterThan(1);
  expect(looks.length).toBeLessThan(16);
});

test('a process that is killed in the middle leaves what the next call goes on with', async () => {
  const schemas = schemaNames('killed', 20);
  const child = startChild(new URL('migrating-process.ts', import.meta.url), {
    env: { FLEET_URL: database.url, FLEET_SCHEMAS: schemas.join() },
  });
  await child.message<{ done?: number }>(({ done = 0 }) => done >= 4);
  await child.kill('SIGKILL');
  await waitFor(async () => {
    const { rowCount } = await database.admin.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'fleet' AND datname = current_database()`,
    );
    return rowCount === 0;
  }, BUSY);

  const report = await migrateFleet(open(schemas).migrators);

  const done = report.filter(({ applied }) => applied.length === 0).length;
  expect(done).toBeGreaterThanOrEqual(4);
  expect(done).toBeLessThan(20);
  expect(report.every(({ error }) => error === undefined)).toBe(true);
  const whole = await shapeOf(database.admin, 'killed_0');
  for (const schema of schemas) expect(await shapeOf(database.admin, schema)).toEqual(whole);
});

test('no more schemas than asked for are migrated at once', async () => {
  const schemas = schemaNames('bounded', 9);
  const { migrators } = open(schemas, { poolSize: 12 });
  const { admin } = database;
  let active = 0;
  let most = 0;
  for (const migrator of migrators) {
    const ensure = migrator.ensureFrom.bind(migrator);
    jest.spyOn(migrator, 'ensureFrom').mockImplementation(async (history) => {
      most = Math.max(most, ++active);
      return ensure(history).finally(() => active--);
    });
  }
  // None can go on before there are as many as there may be.
  await admin.query('BEGIN');
  for (const schema of schemas) await lockSchema(admin, schema);
  const report = migrateFleet(migrators, { concurrency: 3 });
  await waitFor(() => active === 3, BUSY);
  await admin.query('COMMIT');

  expect((await report).map(({ applied }) => applied)).toEqual(schemas.map(() => [FIRST]));
  expect(most).toBe(3);
});

const failLater = (): Promise<never> => Promise.reject(new Error('no progress'));

test.each([
  [
    'throws',
    () => {
      throw new Error('no progress');
    },
  ],
  ['is async and fails', failLater as () => void],
])('an onProgress that %s breaks nothing', async (what, onProgress) => {
  const schemas = schemaNames(`progress_${what.length}`, 3);
  const report = await migrateFleet(open(schemas).migrators, { onProgress });
  expect(report.map(({ applied }) => applied)).toEqual(schemas.map(() => [FIRST]));
});

test('a database that is away fails the tenants on it and no others', async () => {
  const here = open(schemaNames('here', 2));
  const away = open(schemaNames('away', 50), { url: 'postgres://nobody@127.0.0.1:1/nothing' });

  let report: Awaited<ReturnType<typeof migrateFleet>> = [];
  const statements = await statementsOf(async () => {
    report = await migrateFleet([...away.migrators, ...here.migrators]);
  });

  for (const { error } of report.slice(0, 50))
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
  expect(report.slice(50).map(({ applied }) => applied)).toEqual([[FIRST], [FIRST]]);
  // Not one of the fifty was asked for by itself.
  expect(statements.length).toBeLessThan(50);
});

class AddInvoices1767225600000 implements MigrationInterface {
  readonly name = 'AddInvoices1767225600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE invoice (id integer)');
  }
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE invoice');
  }
}

test('data sources are made ready only where migrations of the application are pending', async () => {
  const schemas = schemaNames('application', 3);
  const first = open(schemas, { migrations: [AddInvoices1767225600000] });
  const report = await migrateFleet(first.migrators);
  expect(report.map(({ applied }) => applied)).toEqual(
    schemas.map(() => [FIRST, 'AddInvoices1767225600000']),
  );

  const initialize = jest.fn<() => Promise<void>>();
  const again = open(schemas, { migrations: [AddInvoices1767225600000], initialize });
  expect((await migrateFleet(again.migrators)).map(({ applied }) => applied)).toEqual([[], [], []]);
  expect(await again.migrators[0]?.status()).toEqual({
    applied: [FIRST, 'AddInvoices1767225600000'],
    pending: [],
  });
  expect(initialize).not.toHaveBeenCalled();
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  'a concurrency of %p is refused',
  async (concurrency) => {
    await expect(migrateFleet([], { concurrency })).rejects.toBeInstanceOf(InvalidArgumentError);
  },
);
