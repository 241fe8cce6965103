import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import type { Execution } from '../../../lib/runner/execution.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, openTenants, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { compile } from '../tenants/application.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

/** Of a machine that has other things to do. */
const BUSY = { deadline: 60_000 };

class CreateNote1767225600000 implements MigrationInterface {
  readonly name = 'CreateNote1767225600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'CREATE TABLE note (id integer PRIMARY KEY); INSERT INTO note VALUES (7)',
    );
  }
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

/** As long as it isn't allowed, `retrying` fails, `deferring` waits, and `failing` ends Failed. */
function workflows(world: { allowed: boolean }, ran: string[]): WorkflowDefinition[] {
  const note = (name: string): void => void ran.push(name);
  return [
    defineWorkflow('plain')
      .task('first', () => ({ first: 1 }))
      .task('second', { dependsOn: ['first'] }, (context) => {
        note('plain');
        return { sum: Number(context.get('first')) + 1 };
      })
      .build(),
    defineWorkflow('retrying')
      .task(
        'only',
        { retry: { maxAttempts: 10_000, backoff: 'fixed', delay: 100, jitter: false } },
        () => {
          if (!world.allowed) throw new Error('not yet');
          note('retrying');
        },
      )
      .build(),
    defineWorkflow('deferring')
      .task('only', async (context) => {
        await context.deferUntil(() => world.allowed, { every: 100 });
        note('deferring');
      })
      .build(),
    defineWorkflow('failing')
      .task('before', () => ({ before: true }))
      .task('only', { dependsOn: ['before'], retry: { maxAttempts: 1 } }, () => {
        if (!world.allowed) throw new Error('never here');
        note('failing');
      })
      .build(),
  ];
}

/** Everything that is in the library's tables, with the moment at which each row was written. */
async function contents(admin: Client, schema: string): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  const { rows: tables } = await admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
      WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname LIKE 'cloacina%' ORDER BY 1`,
    [schema],
  );
  for (const { name } of tables) {
    const { rows } = await admin.query(
      `SELECT t::text AS row, t.xmin::text FROM ${schema}.${name} t ORDER BY 1`,
    );
    found[name] = rows;
  }
  return found;
}

let database: ScratchDatabase;
beforeAll(async () => {
  database = await createScratchDatabase();
});
afterAll(() => database.drop());

test('an application in public moves to a schema of its own and goes on with everything', async () => {
  const { admin, url: databaseUrl } = database;
  const world = { allowed: false };
  const ran: string[] = [];
  const options = { tenant: 'first', databaseUrl, migrations: [CreateNote1767225600000] };

  const inPublic = await openTenant(workflows(world, ran), { ...options, schema: 'public' });
  const { runner, migrator } = inPublic;
  const completed = await runner.execute('plain', {}, { idempotencyKey: 'order-1' });
  const failed = await runner.execute('failing', {}, { settled: true });
  expect([completed.status, failed.status]).toEqual(['Completed', 'Failed']);
  const delayed = await runner.start('plain', {}, { delay: '1h', idempotencyKey: 'order-2' });
  const paused = await runner.start('plain', {}, { delay: '1h' });
  await paused.pause({ reason: 'for the move' });
  const retrying = await runner.start('retrying');
  const deferring = await runner.start('deferring');
  await waitFor(async () => {
    const [retry, deferral] = await Promise.all([
      runner.get(retrying.id),
      runner.get(deferring.id),
    ]);
    const isDeferred = deferral?.tasks[0]?.waitingFor?.reason === 'condition';
    return Number(retry?.tasks[0]?.attempt) > 1 && isDeferred;
  }, BUSY);

  await expect(migrator.moveTo('tenant_first')).rejects.toMatchObject({
    code: 'NOT_ALLOWED',
    message: expect.stringMatching(/this process serves the tenant.*runner\.shutdown\(\)/),
  });
  const known = await Promise.all([completed, failed].map(({ id }) => runner.get(id)));
  await runner.shutdown();
  const before = await contents(admin, 'public');
  await migrator.moveTo('tenant_first');
  expect(await contents(admin, 'tenant_first')).toEqual(before);
  expect(await contents(admin, 'public')).toEqual({});
  expect(before['cloacina_workflow_execution']).toHaveLength(6);
  expect(before['cloacina_runner_lease']).toEqual([]);
  // The application's own stay: table, rows, history.
  const own = await admin.query('SELECT (SELECT id FROM public.note), name FROM public.migrations');
  expect(own.rows).toEqual([{ id: 7, name: 'CreateNote1767225600000' }]);
  await inPublic.host.removeTenant('first');

  world.allowed = true;
  const moved = await openTenant(workflows(world, ran), {
    tenant: 'first',
    schema: 'tenant_first',
    databaseUrl,
  });
  for (const execution of known) expect(await moved.runner.get(execution!.id)).toEqual(execution);
  const again = await moved.runner.start('plain', {}, { idempotencyKey: 'order-1' });
  expect([again.id, again.created]).toEqual([completed.id, false]);
  const alsoAgain = await moved.runner.start('plain', {}, { idempotencyKey: 'order-2' });
  expect([alsoAgain.id, alsoAgain.created]).toEqual([delayed.id, false]);
  expect(await ended(moved, retrying.id)).toMatchObject({ status: 'Completed' });
  expect(await ended(moved, deferring.id)).toMatchObject({ status: 'Completed' });
  await moved.runner.retry(failed.id);
  expect(await ended(moved, failed.id)).toMatchObject({
    status: 'Completed',
    context: { before: true },
  });
  expect((await moved.runner.get(delayed.id))?.tasks[0]?.waitingFor?.reason).toBe('time');
  expect((await moved.runner.get(paused.id))?.status).toBe('Paused');
  // An hour is over.
  await admin.query(
    `UPDATE tenant_first.cloacina_task_execution SET run_at = now() WHERE run_at > now() + interval '50min'`,
  );
  await moved.runner.resume(paused.id);
  const fresh = await moved.runner.start('plain');
  for (const { id } of [paused, delayed, fresh]) {
    expect(await ended(moved, id)).toMatchObject({
      status: 'Completed',
      context: { first: 1, sum: 2 },
    });
  }
  expect(ran.sort()).toEqual([
    'deferring',
    'failing',
    ...Array.from({ length: 4 }, () => 'plain'),
    'retrying',
  ]);
}, 180_000);

async function ended({ runner }: OpenTenant, id: string): Promise<Execution> {
  return runner.handle(id).result({ timeout: '60s' });
}

test('the steps of the guide, in a Nest application that goes on running', async () => {
  const own = await createScratchDatabase();
  const world = { allowed: false };
  const providers = workflows(world, []).map((useValue) => ({ provide: useValue.name, useValue }));
  const { app, tenants } = await compile(providers, {
    shared: { databaseUrl: own.url },
    imports: [
      CloacinaModule.forTenant({ tenant: 'legacy' }),
      CloacinaModule.forTenant({ schema: 'tenant_acme' }),
    ],
  });
  try {
    await app.init();
    const waiting = await tenants.get('legacy').runner.start('retrying');
    const beside = await tenants.get('tenant_acme').runner.start('retrying');

    const { runner, migrator } = tenants.get('legacy');
    await runner.shutdown();
    await migrator.moveTo('tenant_first');
    await tenants.remove('legacy');
    await tenants.add({ tenant: 'legacy', schema: 'tenant_first' });

    world.allowed = true;
    const results = await Promise.all([
      tenants.get('legacy').runner.handle(waiting.id).result({ timeout: '60s' }),
      tenants.get('tenant_acme').runner.handle(beside.id).result({ timeout: '60s' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['Completed', 'Completed']);
    expect(await contents(own.admin, 'public')).toEqual({});
    expect(await tenants.migrateAll()).toEqual([
      { tenant: 'tenant_acme', applied: [] },
      { tenant: 'legacy', applied: [] },
    ]);
  } finally {
    await app.close();
    await own.drop();
  }
}, 180_000);

test('what a killed process held is moved when its lease is over, and recovered in the new place', async () => {
  const { admin, url: databaseUrl } = database;
  const ran: string[] = [];
  const world = { allowed: true };
  const [tenant] = await openTenants(workflows(world, ran), [
    { tenant: 'second', schema: 'second', databaseUrl },
  ]);
  const { id } = await tenant!.runner.execute('plain');
  await tenant!.runner.shutdown();
  // As a process leaves it that is killed in the second task, half a minute ago and just now.
  const lost = '018f0000-0000-7000-8000-000000000001';
  await admin.query(
    `UPDATE second.cloacina_workflow_execution SET status = 'Running', completed_at = NULL, context = NULL, remaining_leaves = 1;
     UPDATE second.cloacina_task_execution SET status = 'Running', completed_at = NULL, output = NULL,
            owner = '${lost}', claim_token = claim_token + ${FIRST_TOKEN - 1} WHERE task_no = 1;
     INSERT INTO second.cloacina_runner_lease (instance_id, process_id, name, expires_at)
     VALUES ('${lost}', '${lost}', 'host-7 4711', now() + interval '25s')`,
  );
  await admin.query(listClaims('second.'));
  await expect(tenant!.migrator.moveTo('second_moved')).rejects.toMatchObject({
    code: 'NOT_ALLOWED',
    message: expect.stringMatching(/process host-7 4711 has a lease there\. .*in 2[45] s\./),
  });
  expect((await admin.query(`SELECT to_regnamespace('second_moved') AS there`)).rows).toEqual([
    { there: null },
  ]);
  await admin.query(`UPDATE second.cloacina_runner_lease SET expires_at = now() - interval '5s'`);

  await tenant!.migrator.moveTo('second_moved');

  const moved = await openTenant(workflows(world, ran), {
    schema: 'second_moved',
    databaseUrl,
    leaseDurationMs: 1_000, // who judges leases has watched for as long as one
  });
  expect(await ended(moved, id)).toMatchObject({ status: 'Completed', context: { sum: 2 } });
  expect(await moved.recovery.events()).toMatchObject({ items: [{ previousOwner: lost }] });
  expect(ran).toEqual(['plain', 'plain']);
}, 180_000);
