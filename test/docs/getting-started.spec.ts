import { expect, it } from '@jest/globals';
import { defineWorkflow } from 'nestjs-cloacina';
import { DataSource, EntitySchema } from 'typeorm';
import { openTenant } from '../support/open-tenant.js';
import { connectAdmin, databaseUrl } from '../support/postgres.js';

/** What docs/getting-started.md says of a data source of the application on a login of its own. */
it('start({ manager }) needs no more rights than the page says', async () => {
  const workflow = defineWorkflow('invoice-run')
    .task('charge', () => ({ paid: true }))
    .build();
  const { runner, schema } = await openTenant([workflow]);
  const admin = await connectAdmin();
  const login = `${schema}_app`;
  await admin.query(`CREATE ROLE ${login} LOGIN PASSWORD 'secret'`);
  const url = new URL(databaseUrl());
  url.username = login;
  url.password = 'secret';
  const own = new DataSource({ type: 'postgres', url: url.href, installExtensions: false });
  try {
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${login};
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA ${schema} TO ${login}`);
    await own.initialize();
    const handle = await own.transaction((manager) =>
      runner.start(workflow, {}, { manager, idempotencyKey: 'invoice 17' }),
    );
    expect(await handle.result()).toMatchObject({ status: 'Completed', context: { paid: true } });
  } finally {
    if (own.isInitialized) await own.destroy();
    await admin.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`);
    await admin.end();
  }
});

it('an entity that names its schema keeps it in a transactional task', async () => {
  const invoice = new EntitySchema<{ id: number }>({
    name: 'invoice_of_application',
    schema: 'public',
    columns: { id: { type: 'integer', primary: true } },
  });
  const workflow = defineWorkflow('billing')
    .task('bill', { transactional: true }, async ({ manager }) => {
      await manager.insert(invoice, { id: 17 });
      await manager.query('UPDATE public.invoice_of_application SET id = id + 1');
    })
    .build();
  const { runner } = await openTenant([workflow], { entities: [invoice] });
  const admin = await connectAdmin();
  try {
    await admin.query('CREATE TABLE public.invoice_of_application (id integer PRIMARY KEY)');
    expect((await runner.execute(workflow)).orThrow().status).toBe('Completed');
    const { rows } = await admin.query('SELECT id FROM public.invoice_of_application');
    expect(rows).toEqual([{ id: 18 }]);
  } finally {
    await admin.query('DROP TABLE public.invoice_of_application');
    await admin.end();
  }
});
