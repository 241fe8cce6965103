/** A process that serves the dashboard over many tenants, with one execution of each kind in the first one. */
import 'reflect-metadata';
import { createRequire } from 'node:module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { builtLibrary, loadBuilt, loadBuiltEntry } from './built-library.mjs';

const { CloacinaModule, CloacinaTenants, defineSignal, defineWorkflow } = await loadBuilt();
const { CloacinaDashboardModule } = await loadBuiltEntry('dashboard');

const { url: databaseUrl, tenants, items } = JSON.parse(process.env.BENCH_DASHBOARD);

// All statements go through this one method. The benchmarks have a pg of their own, so this is the library's.
const pg = createRequire(builtLibrary)('pg');
const counted = { statements: 0, reads: 0 };
const { query } = pg.Client.prototype;
pg.Client.prototype.query = function countedQuery(...args) {
  const text = typeof args[0] === 'string' ? args[0] : (args[0]?.text ?? '');
  counted.statements++;
  // The statement that each read of a tenant sends once.
  if (text.includes('percentile_disc')) counted.reads++;
  return query.apply(this, args);
};

const Approval = defineSignal('approval');
const order = defineWorkflow('order')
  .task('check', () => ({ ok: true }))
  .task('pay', { dependsOn: ['check'], retry: { maxAttempts: 1 } }, (context) => {
    if (context.get('fails') === true) throw new Error('The card of order 4711 was refused');
    return { receipt: 'r-1' };
  })
  .task('ship', { dependsOn: ['pay'], limit: { name: 'bank', concurrency: 1_000 } }, () => ({
    tracking: 't-1',
  }))
  .build();
const approve = defineWorkflow('approve')
  .task('ask', async (context) => {
    await context.waitFor(Approval);
  })
  .build();
const imported = defineWorkflow('import')
  .map(
    'store',
    {
      maxItems: 100_000,
      items: (context) => Array.from({ length: context.require('items') }, (_, row) => row),
      onItemFailure: 'continue',
      retry: { maxAttempts: 1 },
    },
    ({ item }) => {
      if (item % 1_000 === 7) throw new Error(`Row ${item} has no code`);
    },
  )
  .build();

class DashboardBench {
  workflows = [order.name, approve.name, imported.name];
}
const began = performance.now();
Module({
  imports: [
    CloacinaModule.forRoot({ databaseUrl }),
    CloacinaDashboardModule.register({ public: true, actor: () => 'ann' }),
  ],
  providers: [
    { provide: order.name, useValue: order },
    { provide: approve.name, useValue: approve },
    { provide: imported.name, useValue: imported },
  ],
})(DashboardBench);
const app = await NestFactory.create(DashboardBench, new ExpressAdapter(), { logger: ['error'] });
await app.listen(0, '127.0.0.1');
const served = app.get(CloacinaTenants);
for (let from = 0; from < tenants; from += 50) {
  const some = Array.from({ length: Math.min(50, tenants - from) }, (_, i) => from + i);
  await Promise.all(some.map((no) => served.add({ schema: schemaOf(no) })));
}

function schemaOf(no) {
  return `tenant_${no}`;
}

/** One execution of each kind, which the data are copies of. */
async function seed() {
  const { runner } = served.get(schemaOf(0));
  const settled = { settled: true };
  const tags = { region: 'north' };
  const completed = await runner.execute('order', { total: 17 }, { ...settled, tags });
  const failed = await runner.execute('order', { fails: true }, settled);
  const running = await runner.start('approve', {}, { idempotencyKey: 'approval-1' });
  while ((await runner.list({ waitingFor: 'approval' })).items.length === 0)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const orders = await runner.list({ workflow: 'order', status: ['Completed', 'Failed'] });
  const idOf = (status) => orders.items.find((one) => one.status === status).id;
  const map = await runner.start('import', { items });
  await map.result({ settled: true });
  await runner.schedules.create('nightly', 'order', { every: '1d' });
  if (completed.status !== 'Completed' || failed.status !== 'Failed')
    throw new Error('The executions did not end as they should.');
  return {
    completed: idOf('Completed'),
    failed: idOf('Failed'),
    running: running.id,
    map: map.id,
  };
}

const orders = {
  seed,
  count: () => ({ ...counted }),
};

process.on('message', (message) => void obey(message));

async function obey(message) {
  if (message === 'stop') {
    await app.close();
    process.disconnect();
    return;
  }
  process.send({ type: message, result: await orders[message]() });
}

const { port } = app.getHttpServer().address();
process.send({ type: 'ready' });
process.send({ type: 'boot', result: { port, bootMs: performance.now() - began } });
