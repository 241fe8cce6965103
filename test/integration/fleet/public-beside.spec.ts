import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { openTenants } from '../../support/open-tenant.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { Workers, waits } from '../recovery/workers.js';

const SCHEMAS = ['public', 'tenant_acme', 'tenant_globex'] as const;

class CreateEntry1767225600000 implements MigrationInterface {
  readonly name = 'CreateEntry1767225600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE entry (tenant text NOT NULL)');
  }
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE entry');
  }
}

let database: ScratchDatabase;
beforeAll(async () => {
  database = await createScratchDatabase();
});
afterAll(() => database.drop());

async function inEach<R extends object>(sql: string): Promise<R[][]> {
  const found: R[][] = [];
  for (const schema of SCHEMAS) {
    await database.admin.query(`SET search_path TO ${schema}`);
    found.push((await database.admin.query<R>(sql)).rows);
  }
  return found;
}

/** It writes in a transaction of its own, outside one, and starts another one of its tenant. */
function entering(): WorkflowDefinition[] {
  return [
    defineWorkflow('enter')
      .task('write', { transactional: true }, async ({ manager, tenant }) => {
        await manager.query('INSERT INTO entry VALUES ($1)', [tenant]);
      })
      .task('also', { dependsOn: ['write'] }, async ({ dataSource, tenant, executionId }) => {
        await dataSource.transaction(async (manager) => {
          const { schema } = dataSource.options as { schema: string };
          await manager.query(`INSERT INTO "${schema}".entry VALUES ($1)`, [tenant]);
        });
        return { tenant, executionId };
      })
      .build(),
  ];
}

test('an application in public and tenants in schemas run in one process, each in its own tables', async () => {
  const tenants = await openTenants(
    entering(),
    SCHEMAS.map((schema) => ({
      schema,
      databaseUrl: database.url,
      migrations: [CreateEntry1767225600000],
    })),
  );
  const results = await Promise.all(
    tenants.flatMap(({ runner }) =>
      Array.from({ length: 10 }, (_, n) =>
        runner.execute('enter', {}, { idempotencyKey: `key-${n}`, timeout: '60s' }),
      ),
    ),
  );

  expect(results.every(({ status }) => status === 'Completed')).toBe(true);
  expect(new Set(results.map(({ id }) => id)).size).toBe(30);
  const entries = await inEach<{ tenant: string; count: number }>(
    'SELECT tenant, count(*)::integer AS count FROM entry GROUP BY 1',
  );
  expect(entries).toEqual(SCHEMAS.map((schema) => [{ tenant: schema, count: 20 }]));
  const contexts = await inEach<{ tenant: string; count: number }>(
    `SELECT context ->> 'tenant' AS tenant, count(*)::integer AS count FROM cloacina_workflow_execution GROUP BY 1`,
  );
  expect(contexts).toEqual(SCHEMAS.map((schema) => [{ tenant: schema, count: 10 }]));
  for (const [i, { runner }] of tenants.entries()) {
    expect(await runner.get(results[i * 10]!.id)).toMatchObject({ status: 'Completed' });
    expect(await runner.get(results[((i + 1) % 3) * 10]!.id)).toBeNull();
  }
  // All on the connections of one login.
  const { rows } = await database.admin.query<{ count: number }>(
    `SELECT count(*)::integer AS count FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'cloacina:%'`,
  );
  expect(rows[0]?.count).toBeLessThanOrEqual(11);
}, 180_000);

test('what a killed process ran is recovered in public and in the schemas', async () => {
  const workers = new Workers(SCHEMAS, { databaseUrl: database.url });
  const victim = await workers.child();
  const started: string[] = [];
  for (const schema of SCHEMAS) started.push(...(await victim.start(waits(2, schema), schema)));
  await workers.begun(6);
  const survivors = await workers.here();
  await victim.process.kill();

  const begun = await workers.begun(12);

  const again = begun.filter(({ by }) => by !== victim.name);
  expect(again.map(({ executionId }) => executionId).sort()).toEqual([...started].sort());
  workers.release();
  for (const [i, { runner }] of survivors.entries()) {
    for (const id of started.slice(2 * i, 2 * i + 2)) {
      expect(await runner.handle(id).result({ timeout: '60s' })).toMatchObject({
        status: 'Completed',
      });
    }
  }
  const recovered = await inEach<{ id: string }>(
    'SELECT execution_id AS id FROM cloacina_recovery_event ORDER BY 1',
  );
  expect(recovered.map((rows) => rows.map(({ id }) => id))).toEqual(
    SCHEMAS.map((_, i) => started.slice(2 * i, 2 * i + 2).sort()),
  );
}, 180_000);
