import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { queryIn } from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { historyOf } from '../migrations/catalog.js';
import { withTenant } from '../migrations/open-tenant.js';
import type { VersionedMessage } from './versioned-process.js';

const FIRST = 'CreateCloacinaTables1735689600000';
const EXPANSION = 'ExpandTaskNotes1798761600000';
const CONTRACTION = 'ContractTaskNotes1798761600000';

let admin: Client;
beforeAll(async () => {
  admin = await connectAdmin();
});
afterAll(() => admin.end());

/** A process of this version, or of the next one with its migration. */
class Versioned {
  private readonly child: TestChild;

  constructor(schema: string, migration?: 'expand' | 'contract') {
    const env: Record<string, string> = { VERSIONED_SCHEMA: schema };
    if (migration !== undefined) env['VERSIONED_MIGRATION'] = migration;
    this.child = startChild(new URL('versioned-process.ts', import.meta.url), { env });
  }

  async until(kind: VersionedMessage['kind'], count = 0): Promise<VersionedMessage> {
    const message = await this.child.message<VersionedMessage>(
      (sent) => sent.kind === 'failed' || (sent.kind === kind && (sent.count ?? 0) >= count),
      150_000,
    );
    if (message.kind === 'failed' && kind !== 'failed') throw new Error(message.text);
    return message;
  }

  get completed(): number {
    return Math.max(
      0,
      ...(this.child.messages as VersionedMessage[]).map(({ count = 0 }) => count),
    );
  }

  /** Waits until it has completed `count` more than by now. */
  async completesMore(count: number): Promise<void> {
    await this.until('completed', this.completed + count);
  }

  async stop(): Promise<number> {
    this.child.send({});
    return (await this.until('stopped')).count ?? 0;
  }
}

test('two versions run side by side while the newer one migrates, and an older one may still start', async () => {
  const schema = freshSchema();
  const old = [new Versioned(schema), new Versioned(schema)];
  for (const process of old) await process.until('completed', 5);
  expect(await historyOf(admin, schema)).toEqual([FIRST]);

  // Under their load it migrates and joins in.
  const next = new Versioned(schema, 'expand');
  await next.until('ready');
  expect(await historyOf(admin, schema)).toEqual([FIRST, EXPANSION]);
  for (const process of [...old, next]) await process.completesMore(8);

  // A process of the old version is started again in the middle of the deploy.
  const late = new Versioned(schema);
  await late.until('ready');
  for (const process of [...old, next, late]) await process.completesMore(8);

  const counts = await Promise.all([...old, next, late].map((process) => process.stop()));
  const executions = await queryIn<{ status: string; count: number }>(
    schema,
    'SELECT status, count(*)::integer AS count FROM cloacina_workflow_execution GROUP BY 1',
  );
  expect(executions).toEqual([
    { status: 'Completed', count: counts.reduce((sum, count) => sum + count) },
  ]);
  // Not one attempt failed, none was lost with its process, and nothing worth an event happened.
  const disturbed = await queryIn<object>(
    schema,
    `SELECT 1 FROM cloacina_task_execution WHERE status <> 'Completed' OR attempt > 0 OR recovery_attempts > 0
     UNION ALL SELECT 1 FROM cloacina_execution_event UNION ALL SELECT 1 FROM cloacina_recovery_event`,
  );
  expect(disturbed).toEqual([]);
}, 600_000);

test('a process of the older version does not start after a migration that does more than add', async () => {
  const schema = freshSchema();
  const next = new Versioned(schema, 'contract');
  await next.until('ready');
  expect(await historyOf(admin, schema)).toEqual([FIRST, CONTRACTION]);

  const { text } = await new Versioned(schema).until('failed');

  expect(text).toMatch(/^MigrationError: .*newer version.*ContractTaskNotes1798761600000/);
  await next.stop();
}, 400_000);

test('what the older version makes of a schema that was added to', async () => {
  const schema = freshSchema();
  const record = (name: string): Promise<unknown> =>
    admin.query(
      `INSERT INTO ${schema}.cloacina_migrations (timestamp, name) VALUES (1798761600000, $1)`,
      [name],
    );
  await withTenant(schema, {}, async ({ migrator }) => {
    await migrator.ensure();
    await record(EXPANSION);
    expect(await migrator.ensure()).toEqual({ schemaCreated: false, applied: [] });
    expect(await migrator.run()).toEqual([]);
    expect(await migrator.status()).toEqual({ applied: [FIRST, EXPANSION], pending: [] });
    // It doesn't know what would be left if it reverted what it knows, nor what there is to move.
    await expect(migrator.revert()).rejects.toThrow(/newer version/);
    await expect(migrator.moveTo(`${schema}_moved`)).rejects.toThrow(/newer version/);

    await record('Expanded1798761600001');
    await expect(migrator.ensure()).rejects.toThrow(/newer version.*Expanded1798761600001/);
    await admin.query(`DELETE FROM ${schema}.cloacina_migrations WHERE name LIKE 'Expanded%'`);
    await record(CONTRACTION);
    await record('ExpandFurther1798761600002');
    await expect(migrator.ensure()).rejects.toThrow(/newer version.*ExpandFurther/);
  });
});

test('an expansion on a schema that lacks what comes before it is refused', async () => {
  const schema = freshSchema();
  await withTenant(schema, {}, async ({ migrator }) => {
    await migrator.ensure();
    await admin.query(`UPDATE ${schema}.cloacina_migrations SET name = '${EXPANSION}'`);
    await expect(migrator.ensure()).rejects.toThrow(/newer version/);
  });
});
