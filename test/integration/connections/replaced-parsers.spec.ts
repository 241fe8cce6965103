import { beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';

class CreateInvoice1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query('CREATE TABLE invoice (id text PRIMARY KEY)');
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE invoice');
  }
}

/** An application that has parsers of its own for all that the driver has parsers for, and then some. */
beforeAll(() => {
  const { BOOL, INT2, INT4, INT8, OID, FLOAT8, TEXT, JSON, JSONB, TIMESTAMPTZ } = pg.types.builtins;
  for (const oid of [INT2, INT4, INT8, OID]) pg.types.setTypeParser(oid, BigInt);
  for (const oid of [BOOL, FLOAT8, TEXT, JSON, JSONB, TIMESTAMPTZ, 19, 1003, 1009]) {
    pg.types.setTypeParser(oid, (text) => ({ replaced: text }));
  }
});

test('the library reads what it has written, whatever parsers the application has', async () => {
  const schema = freshSchema();
  const bill = defineWorkflow('bill')
    .task('write', { transactional: true }, async (context: TaskContext) => {
      await context.manager.query('INSERT INTO invoice VALUES ($1)', [context.executionId]);
      return { written: true };
    })
    .build();
  const options = { schema, isolation: 'role', migrations: [CreateInvoice1700000000000] } as const;
  const open = () => openTenant([bill], options);
  const tenant = await open();
  const { id } = await tenant.runner.execute(bill, {});
  await tenant.close();
  // The second time the histories are there, and the role.
  const again = await open();
  expect(await again.migrator.pending()).toEqual([]);
  expect(await again.runner.get(id)).toMatchObject({
    status: 'Completed',
    context: { written: true },
  });
  expect((await again.runner.list()).items).toHaveLength(1);
  // The application's own reads go by the application's parsers.
  expect(await again.dataSource.query('SELECT 1 AS one, true AS yes')).toEqual([
    { one: 1n, yes: { replaced: 't' } },
  ]);
});

test('so does CloacinaAdmin', async () => {
  const admin = new CloacinaAdmin({ databaseUrl: await scratchDatabase() });
  const schema = freshSchema();
  await admin.createTenant({ schema, username: schema });
  expect(await admin.listTenants()).toEqual([expect.objectContaining({ schema })]);
  await admin.removeTenant({ schema });
  expect(await admin.listTenants()).toEqual([]);
});
