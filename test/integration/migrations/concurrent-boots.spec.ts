import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { DatabaseUnavailableError, MigrationError } from '../../../lib/errors/index.js';
import { lockSchema } from '../../../lib/tenants/migrations/schema-lock.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import type { BootMessage } from './boot-process.js';
import { historyOf } from './catalog.js';
import { openTenant, withTenant } from './open-tenant.js';

const FIRST = 'CreateCloacinaTables1735689600000';
const PROCESSES = sized(20, 4);

type Ensured = NonNullable<BootMessage['result']>;

let admin: Client;
beforeAll(async () => {
  admin = await connectAdmin();
});
afterAll(() => admin.end());

test(`${PROCESSES} processes that boot at once all succeed, and each migration is applied once`, async () => {
  const absent = freshSchema('absent');
  // Where there is no schema to create, nothing but the lock keeps them from creating the same tables.
  const empty = freshSchema('empty');
  await admin.query(`CREATE SCHEMA ${empty}`);
  const children = Array.from({ length: PROCESSES }, () =>
    startChild(new URL('boot-process.ts', import.meta.url), {
      env: { BOOT_SCHEMA: `${absent},${empty}` },
    }),
  );

  const intoAbsent = await bootAtOnce(children, 0);
  const intoEmpty = await bootAtOnce(children, 1);

  expect(intoAbsent.filter(({ schemaCreated }) => schemaCreated)).toHaveLength(1);
  expect(intoEmpty.filter(({ schemaCreated }) => schemaCreated)).toHaveLength(0);
  for (const results of [intoAbsent, intoEmpty]) {
    expect(results).toHaveLength(PROCESSES);
    expect(results.flatMap(({ applied }) => applied)).toEqual([FIRST]);
  }
  expect(await historyOf(admin, absent)).toEqual([FIRST]);
  expect(await historyOf(admin, empty)).toEqual([FIRST]);
}, 600_000);

/** The barrier: each is connected, with everything loaded, before any begins its boot number `round`. */
async function bootAtOnce(children: readonly TestChild[], round: number): Promise<Ensured[]> {
  await Promise.all(children.map((child) => nth(child, 'ready', round)));
  for (const child of children) child.send({});
  const ends = await Promise.all(children.map((child) => nth(child, 'done', round)));
  return ends.flatMap(({ result }) => (result === undefined ? [] : [result]));
}

/** The child's message of that kind with that number, from 0; throws if the child says that it failed. */
async function nth(
  child: TestChild,
  kind: BootMessage['kind'],
  number: number,
): Promise<BootMessage> {
  const message = await child.message<BootMessage>((sent) => {
    const ofKind = (child.messages as BootMessage[]).filter((other) => other.kind === kind);
    return sent.kind === 'failed' || sent === ofKind[number];
  }, 240_000);
  if (message.kind === 'failed') throw new Error(message.text);
  return message;
}

test('a schema that somebody creates by hand at that instant is taken as it is', async () => {
  const schema = freshSchema();
  await withTenant(schema, {}, async ({ migrator, pool }) => {
    await admin.query(`BEGIN; CREATE SCHEMA ${schema}`);
    const ensuring = migrator.ensure();
    // It sees no schema, tries to create it, and waits to hear whether the other one commits.
    await waitFor(async () => {
      const { rows } = await pool.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE SCHEMA "${schema}"'`,
      );
      return rows.length > 0;
    });
    await admin.query('COMMIT');

    expect(await ensuring).toEqual({ schemaCreated: false, applied: [FIRST] });
  });
});

describe('while another process migrates the schema', () => {
  test('a boot waits and says so, and goes on when that one is done', async () => {
    const schema = freshSchema();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await admin.query('BEGIN');
    await lockSchema(admin, schema);

    await withTenant(schema, { lockTimeoutMs: 20 }, async ({ migrator }) => {
      const ensuring = migrator.ensure();
      await waitFor(() => warn.mock.calls.length >= 2);
      await admin.query('COMMIT');
      expect(await ensuring).toEqual({ schemaCreated: true, applied: [FIRST] });
    });

    expect(String(warn.mock.calls[0]?.[0])).toMatch(
      new RegExp(
        `Waiting .* migration of schema "${schema}" by backend \\d+ \\(cloacina-test-admin`,
      ),
    );
    warn.mockRestore();
  });

  test('a boot gives up after a while, and says who holds it up', async () => {
    const schema = freshSchema();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await admin.query('BEGIN');
    await lockSchema(admin, schema);
    try {
      await withTenant(schema, { lockTimeoutMs: 20, giveUpAfterMs: 50 }, async ({ migrator }) => {
        const error: unknown = await migrator.ensure().catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MigrationError);
        expect(String(error)).toMatch(/Another process .* backend \d+ \(cloacina-test-admin/);
      });
    } finally {
      await admin.query('ROLLBACK');
      warn.mockRestore();
    }
  });

  test('a boot refuses the schema when that one turns out to be newer', async () => {
    const schema = freshSchema();
    await admin.query(`CREATE SCHEMA ${schema}`);
    await admin.query('BEGIN');
    await lockSchema(admin, schema);
    await admin.query(
      `CREATE TABLE ${schema}.cloacina_migrations (id serial, timestamp bigint, name text);
       INSERT INTO ${schema}.cloacina_migrations (timestamp, name) VALUES (4102444800000, 'Newer4102444800000')`,
    );
    await withTenant(schema, {}, async ({ migrator, pool }) => {
      const ensuring = migrator.ensure().catch((reason: unknown) => reason);
      await waitFor(async () => {
        const { rows } = await pool.query(
          `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'tenant ${schema}'`,
        );
        return rows.length > 0;
      });
      await admin.query('COMMIT');
      expect(String(await ensuring)).toMatch(/newer version.*Newer4102444800000/);
    });
  });

  test('a boot that has nothing to do does not wait', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, async ({ migrator }) => {
      await migrator.ensure();
      await admin.query('BEGIN');
      await lockSchema(admin, schema);
      expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [] });
      await admin.query('COMMIT');
    });
  });
});

test('a database that is away is told as such', async () => {
  const schema = freshSchema();
  const { pool, migrator, dataSource } = await openTenant(schema);
  await dataSource.destroy();
  pool.options.host = '127.0.0.1';
  pool.options.port = 1;
  Reflect.deleteProperty(pool.options, 'connectionString');
  await pool.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
  await expect(migrator.ensure()).rejects.toBeInstanceOf(DatabaseUnavailableError);
  await pool.end();
});
