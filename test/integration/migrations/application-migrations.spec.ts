import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Client } from 'pg';
import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { MigrationError } from '../../../lib/errors/index.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { catalogOf, historyOf } from './catalog.js';
import { withTenant } from './open-tenant.js';

const FIRST = 'CreateCloacinaTables1735689600000';

class CreateInvoice1736000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // Unqualified on purpose, by SQL and by TypeORM: both mean the tenant's schema.
    await queryRunner.query('CREATE TABLE invoice (id integer PRIMARY KEY, total numeric)');
    await queryRunner.createTable(
      new Table({
        name: 'invoice_line',
        columns: [{ name: 'id', type: 'integer', isPrimary: true }],
      }),
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE invoice_line, invoice');
  }
}

class AddCustomer1736000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE invoice ADD COLUMN customer text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE invoice DROP COLUMN customer');
  }
}

class InsertTwice1736000000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE card (number text PRIMARY KEY)');
    await queryRunner.query(`INSERT INTO card VALUES ('4111-1111'), ('4111-1111')`);
  }

  async down(): Promise<void> {}
}

/** Advisory locks in the database while it was applied: that of the schema. */
const locksMeanwhile: number[] = [];

class IndexInvoice1736000000003 implements MigrationInterface {
  transaction = false;
  async up(queryRunner: QueryRunner): Promise<void> {
    const locks = `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    locksMeanwhile.push(((await queryRunner.query(locks)) as { n: number }[])[0]?.n ?? 0);
    await queryRunner.query('CREATE INDEX CONCURRENTLY invoice_total ON invoice (total)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX CONCURRENTLY invoice_total');
  }
}

class IndexTwice1736000000006 implements MigrationInterface {
  transaction = false;
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE UNIQUE INDEX CONCURRENTLY card_number ON card (number)');
  }

  async down(): Promise<void> {}
}

class CardsTwice1736000000004 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE card (number text)');
    await queryRunner.query(`INSERT INTO card VALUES ('4111-1111'), ('4111-1111')`);
  }

  async down(): Promise<void> {}
}

class AddNote1736000000007 implements MigrationInterface {
  transaction = true;
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE invoice ADD COLUMN note text');
  }

  async down(): Promise<void> {}
}

class NeedsPublicTable1736000000004 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('INSERT INTO cloacina_test_elsewhere VALUES (1)');
  }

  async down(): Promise<void> {}
}

class CommitsItself1736000000005 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('COMMIT');
  }

  async down(): Promise<void> {}
}

let admin: Client;
beforeAll(async () => {
  admin = await connectAdmin();
});
afterAll(() => admin.end());

async function tablesOf(schema: string): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE 'cloacina%' ORDER BY 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

test('run after the library in the same boot, in the schema, with a history of their own', async () => {
  const schema = freshSchema();
  // In the order of their timestamps, however they are listed.
  const migrations = [AddCustomer1736000000001, CreateInvoice1736000000000];
  await withTenant(schema, { migrations }, async ({ migrator }) => {
    const names = [FIRST, 'CreateInvoice1736000000000', 'AddCustomer1736000000001'];
    expect(await migrator.pending()).toEqual(names);
    expect(await migrator.ensure()).toEqual({ schemaCreated: true, applied: names });
    expect(await migrator.status()).toEqual({ applied: names, pending: [] });
    const before = await catalogOf(admin, schema);
    expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [] });
    expect(await catalogOf(admin, schema)).toEqual(before);
  });
  expect(await historyOf(admin, schema)).toEqual([FIRST]);
  expect(await historyOf(admin, schema, 'migrations')).toHaveLength(2);
  expect(await tablesOf(schema)).toEqual(['invoice', 'invoice_line', 'migrations']);
  expect(await tablesOf('public')).not.toContain('invoice');
});

test('that come later are applied alone, and reverted before the library', async () => {
  const schema = freshSchema();
  await withTenant(schema, {}, ({ migrator }) => migrator.ensure());
  await withTenant(schema, { migrations: [CreateInvoice1736000000000] }, async ({ migrator }) => {
    expect(await migrator.run()).toEqual(['CreateInvoice1736000000000']);
  });
  const migrations = [CreateInvoice1736000000000, AddCustomer1736000000001];
  await withTenant(schema, { migrations }, async ({ migrator }) => {
    expect(await migrator.run()).toEqual(['AddCustomer1736000000001']);
    expect(await migrator.revert()).toBe('AddCustomer1736000000001');
    expect(await migrator.revert()).toBe('CreateInvoice1736000000000');
    expect(await migrator.revert()).toBe(FIRST);
    expect(await migrator.revert()).toBeNull();
    expect(await tablesOf(schema)).toEqual(['migrations']);
  });
});

test('of somebody else in the same table are left alone', async () => {
  const schema = freshSchema();
  await withTenant(schema, { migrations: [CreateInvoice1736000000000] }, ({ migrator }) =>
    migrator.ensure(),
  );
  await withTenant(schema, { migrations: [AddCustomer1736000000001] }, async ({ migrator }) => {
    expect(await migrator.revert()).toBe(FIRST);
  });
  expect(await historyOf(admin, schema, 'migrations')).toEqual(['CreateInvoice1736000000000']);
});

test('that fail are rolled back together; the library stays, and the error shows no data', async () => {
  jest.spyOn(console, 'log').mockImplementation(() => undefined); // TypeORM's own report
  const schema = freshSchema();
  const migrations = [CreateInvoice1736000000000, InsertTwice1736000000002];
  await withTenant(schema, { migrations }, async ({ migrator }) => {
    const error: unknown = await migrator.ensure().catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(MigrationError);
    expect(error).toMatchObject({
      code: 'MIGRATION',
      schema,
      migration: 'InsertTwice1736000000002',
      cause: { code: '23505' },
    });
    const shown = `${String(error)} ${JSON.stringify(error)} ${JSON.stringify((error as Error).cause)}`;
    expect(shown).not.toContain('4111-1111');
    expect(shown).not.toContain(new URL(databaseUrl()).password);
    expect(await migrator.status()).toEqual({
      applied: [FIRST],
      pending: ['CreateInvoice1736000000000', 'InsertTwice1736000000002'],
    });
    expect(await tablesOf(schema)).toEqual([]);
  });

  // The next deployment has put it right.
  await withTenant(schema, { migrations: [CreateInvoice1736000000000] }, async ({ migrator }) => {
    expect((await migrator.ensure()).applied).toEqual(['CreateInvoice1736000000000']);
  });
});

test('that want no transaction are applied between those that do, under the lock, by one process', async () => {
  const schema = freshSchema();
  const migrations = [CreateInvoice1736000000000, IndexInvoice1736000000003, AddNote1736000000007];
  const names = migrations.map(({ name }) => name);
  const options = { migrations, lockTimeoutMs: 100 };
  await withTenant(schema, options, async ({ migrator }) => {
    await withTenant(schema, options, async ({ migrator: another }) => {
      const results = await Promise.all([migrator.ensure(), another.ensure()]);
      expect(results.flatMap(({ applied }) => applied).sort()).toEqual([FIRST, ...names].sort());
    });
    expect(locksMeanwhile).toEqual([1]);
    expect(await historyOf(admin, schema, 'migrations')).toEqual(names);
    const { rows } = await admin.query(
      `SELECT i.indisvalid AS valid FROM pg_index i WHERE i.indexrelid = $1::regclass`,
      [`${schema}.invoice_total`],
    );
    expect(rows).toEqual([{ valid: true }]);
  });
  await withTenant(schema, { migrations: migrations.slice(0, 2) }, async ({ migrator }) => {
    await admin.query(`DELETE FROM ${schema}.migrations WHERE name = $1`, [names[2]]);
    expect(await migrator.revert()).toBe(names[1]);
    expect(
      (await admin.query(`SELECT to_regclass('${schema}.invoice_total') AS oid`)).rows,
    ).toEqual([{ oid: null }]);
  });
});

test('one of them that fails is named, with what is left of it', async () => {
  jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const schema = freshSchema();
  const migrations = [CardsTwice1736000000004, IndexTwice1736000000006];
  await withTenant(schema, { migrations }, async ({ migrator }) => {
    const error: unknown = await migrator.ensure().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'MIGRATION',
      migration: 'IndexTwice1736000000006',
      cause: { code: '23505' },
    });
    expect(String(error)).toMatch(/earlier migrations remain applied\. Drop what it left/);
    expect(String(error)).not.toContain('4111-1111');
    expect(await migrator.pending()).toEqual(['IndexTwice1736000000006']);
  });
});

test('cannot leave the transaction by ending it', async () => {
  jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const schema = freshSchema();
  await withTenant(schema, { migrations: [CommitsItself1736000000005] }, async ({ migrator }) => {
    await expect(migrator.ensure()).rejects.toThrow(/COMMIT or ROLLBACK from within/);
  });
});

test('never reach a table of public by accident', async () => {
  jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const schema = freshSchema();
  await admin.query('CREATE TABLE IF NOT EXISTS public.cloacina_test_elsewhere (id integer)');
  try {
    const migrations = [NeedsPublicTable1736000000004];
    await withTenant(schema, { migrations }, async ({ migrator }) => {
      await expect(migrator.ensure()).rejects.toThrow(/"cloacina_test_elsewhere" does not exist/);
    });
    const { rows } = await admin.query('SELECT 1 FROM public.cloacina_test_elsewhere');
    expect(rows).toEqual([]);
  } finally {
    await admin.query('DROP TABLE public.cloacina_test_elsewhere');
  }
});
