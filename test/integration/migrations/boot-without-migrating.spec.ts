import { expect, test } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';

class CreateInvoice1736000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE invoice (id text PRIMARY KEY)');
  }
  async down(): Promise<void> {}
}

const FIRST = 'CreateCloacinaTables1735689600000';
const only = defineWorkflow('only')
  .task('only', () => ({ done: true }))
  .build();

test('with migrate: false a boot checks the schema, changes nothing, and works under a login that may not', async () => {
  const schema = freshSchema();
  const checking = { schema, migrate: false } as const;
  const migrations = [CreateInvoice1736000000000];
  const admin = await connectAdmin();
  try {
    await expect(openTenant([only], { ...checking, migrations })).rejects.toMatchObject({
      code: 'MIGRATION',
      pending: [FIRST, 'CreateInvoice1736000000000'],
      message: expect.stringMatching(
        /does not exist, and the option "migrate" is false\. Pending: /,
      ),
    });
    const found = await admin.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    expect(found.rows).toEqual([]);

    await (await openTenant([only], { schema })).close();
    await expect(openTenant([only], { ...checking, migrations })).rejects.toMatchObject({
      pending: ['CreateInvoice1736000000000'],
      message: expect.stringMatching(
        /is not current, .* Run CloacinaMigrator\.run\(\) with a login that may/,
      ),
    });

    const login = schema;
    await admin.query(`CREATE ROLE ${login} LOGIN PASSWORD 'worker';
      GRANT USAGE ON SCHEMA ${schema} TO ${login};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${login}`);
    const url = new URL(databaseUrl());
    [url.username, url.password] = [login, 'worker'];
    const tenant = await openTenant([only], { ...checking, databaseUrl: url.href });
    expect(await tenant.runner.execute(only, {})).toMatchObject({ status: 'Completed' });
    await tenant.close();

    // What is asked for is done, whatever a boot may do.
    const owner = await openTenant([only], checking);
    expect(await owner.migrator.run()).toEqual([]);
    await owner.close();
    await admin.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`);
  } finally {
    await admin.end();
  }
});
