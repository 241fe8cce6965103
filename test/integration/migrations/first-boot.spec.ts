import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { MigrationError } from '../../../lib/errors/index.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { catalogOf, historyOf, shapeOf } from './catalog.js';
import { withTenant } from './open-tenant.js';
import { createScratchDatabase } from './scratch-database.js';
import { statementsOf } from './statements-of.js';

const FIRST = 'CreateCloacinaTables1735689600000';

let admin: Client;
beforeAll(async () => {
  admin = await connectAdmin();
});
afterAll(() => admin.end());

describe('ensure', () => {
  test('creates the schema and its tables', async () => {
    const schema = freshSchema();

    const result = await withTenant(schema, {}, ({ migrator }) => migrator.ensure());

    expect(result).toEqual({ schemaCreated: true, applied: [FIRST] });
    const { rows } = await admin.query<{ name: string }>(
      'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1',
      [schema],
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'cloacina_action',
      'cloacina_claim_batch',
      'cloacina_event_start',
      'cloacina_event_subscription',
      'cloacina_execution_event',
      'cloacina_kept_key',
      'cloacina_limit',
      'cloacina_limit_slot',
      'cloacina_migrations',
      'cloacina_paused_workflow',
      'cloacina_process',
      'cloacina_recovery_event',
      'cloacina_retention',
      'cloacina_runner_lease',
      'cloacina_schedule',
      'cloacina_schedule_firing',
      'cloacina_signal',
      'cloacina_state',
      'cloacina_task_execution',
      'cloacina_task_progress',
      'cloacina_task_step',
      'cloacina_tenant',
      'cloacina_workflow_definition',
      'cloacina_workflow_execution',
    ]);
  });

  test('every table of the library has a comment', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, ({ migrator }) => migrator.ensure());

    const { rows } = await admin.query(
      `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r' AND obj_description(c.oid) IS NULL`,
      [schema],
    );
    expect(rows).toEqual([{ relname: 'cloacina_migrations' }]);
  });

  test('a second boot changes nothing, and data persist', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, ({ migrator }) => migrator.ensure());
    await admin.query(
      `INSERT INTO ${schema}.cloacina_execution_event (execution_id, kind) VALUES (gen_random_uuid(), 'retry')`,
    );
    const before = await catalogOf(admin, schema);

    const result = await withTenant(schema, {}, ({ migrator }) => migrator.ensure());

    expect(result).toEqual({ schemaCreated: false, applied: [] });
    expect(before.length).toBeGreaterThan(100);
    expect(await catalogOf(admin, schema)).toEqual(before);
    expect(await historyOf(admin, schema)).toEqual([FIRST]);
    const { rows } = await admin.query(`SELECT 1 FROM ${schema}.cloacina_execution_event`);
    expect(rows).toHaveLength(1);
  });

  test('a boot with nothing to do takes two statements and no lock', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, async ({ migrator }) => {
      await migrator.ensure();

      const statements = await statementsOf(() => migrator.ensure());

      expect(statements).toHaveLength(2);
      expect(statements.join()).not.toMatch(/lock|transaction/i);
    });
  });

  test('finishes a schema that is there and empty', async () => {
    const schema = freshSchema();
    await admin.query(`CREATE SCHEMA ${schema}`);

    const result = await withTenant(schema, {}, ({ migrator }) => migrator.ensure());

    expect(result).toEqual({ schemaCreated: false, applied: [FIRST] });
  });

  test('keeps the letter case of a schema', async () => {
    const schema = freshSchema('Mixed');
    await withTenant(schema, {}, ({ migrator }) => migrator.ensure());
    expect(await historyOf(admin, schema)).toEqual([FIRST]);
  });

  test('uses public where that is the schema, and neither creates nor drops it', async () => {
    const database = await createScratchDatabase();
    try {
      const reference = freshSchema();
      await withTenant(reference, { url: database.url }, ({ migrator }) => migrator.ensure());
      await withTenant('public', { url: database.url }, async ({ migrator }) => {
        expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [FIRST] });
        expect(await shapeOf(database.admin, 'public')).toEqual(
          await shapeOf(database.admin, reference),
        );
        expect(await migrator.revert()).toBe(FIRST);
      });
      await database.admin.query('SELECT 1 FROM public.cloacina_migrations');
      await database.admin.query('DROP SCHEMA public CASCADE');
      await withTenant('public', { url: database.url }, async ({ migrator }) => {
        await expect(migrator.ensure()).rejects.toThrow(/no schema "public"/);
      });
    } finally {
      await database.drop();
    }
  });

  test('refuses a schema that a newer version has migrated, and leaves it alone', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, async ({ migrator }) => {
      await migrator.ensure();
      await admin.query(
        `INSERT INTO ${schema}.cloacina_migrations (timestamp, name) VALUES (4102444800000, 'AddTeleport4102444800000')`,
      );
      const before = await catalogOf(admin, schema);

      for (const refused of [migrator.ensure(), migrator.run(), migrator.revert()]) {
        const error: unknown = await refused.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MigrationError);
        expect(String(error)).toMatch(
          /newer version.*AddTeleport4102444800000.*knows.*CreateCloacinaTables/,
        );
      }
      expect(await catalogOf(admin, schema)).toEqual(before);
    });
  });
});

describe('status, pending, revert, run', () => {
  test('tell what is applied, and move one migration at a time', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, async ({ migrator }) => {
      expect(await migrator.status()).toEqual({ applied: [], pending: [FIRST] });
      expect(await migrator.pending()).toEqual([FIRST]);
      expect(await migrator.run()).toEqual([FIRST]);
      expect(await migrator.run()).toEqual([]);
      const shape = await shapeOf(admin, schema);
      expect(await migrator.status()).toEqual({ applied: [FIRST], pending: [] });

      expect(await migrator.revert()).toBe(FIRST);
      expect(await migrator.status()).toEqual({ applied: [], pending: [FIRST] });
      expect(await migrator.revert()).toBeNull();
      const { rows } = await admin.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [
        schema,
      ]);
      expect(rows).toEqual([{ tablename: 'cloacina_migrations' }]);

      expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [FIRST] });
      expect(await shapeOf(admin, schema)).toEqual(shape);
    });
  });

  test('status creates nothing', async () => {
    const schema = freshSchema();
    await withTenant(schema, {}, async ({ migrator }) => {
      await migrator.status();
      expect(await migrator.revert()).toBeNull();
    });
    expect(await catalogOf(admin, schema)).toEqual([]);
  });
});
