/**
 * What one tenant's behavior costs another one on the same login: latencies of tenant B while tenant A does nothing, and
 * while A floods, holds connections, leaves things in its sessions, or a stranger floods the notification channel.
 *
 * Run it with `node bench/neighbors.mjs`, after `npm run build`.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule, CloacinaTenants, defineWorkflow } from '../dist/index.js';
import { BenchServer } from './measure/server.mjs';

const SAMPLES = Number(process.env.SAMPLES ?? 300);

const noop = defineWorkflow('noop')
  .task('only', () => {})
  .build();
const written = defineWorkflow('written')
  .task('only', { transactional: true }, async ({ manager }) => {
    await manager.query('SELECT 1');
  })
  .build();
const holding = defineWorkflow('holding')
  .task('only', { transactional: true }, async ({ manager }) => {
    await manager.query('SELECT pg_sleep(0.05)');
  })
  .build();
const leaving = defineWorkflow('leaving')
  .task('only', async ({ dataSource }) => {
    await dataSource.query("SELECT set_config('work_mem', '5MB', false)");
    await dataSource.query('CREATE TEMP TABLE IF NOT EXISTS left_over (id int)');
    await dataSource.query('SELECT pg_advisory_lock_shared(1)');
  })
  .build();

/** Calls `work` again and again, `atOnce` at a time, until it is stopped. */
function loop(atOnce, work) {
  const state = { stopped: false };
  const runs = Array.from({ length: atOnce }, async () => {
    while (!state.stopped) await work();
  });
  return async () => {
    state.stopped = true;
    await Promise.all(runs);
  };
}

const server = await BenchServer.start();
const database = await server.createDatabase();
class NeighborsModule {
  tenants = 2;
}
Module({
  imports: [CloacinaModule.forRoot({ databaseUrl: database.url })],
  providers: [noop, written, holding, leaving].map((useValue) => ({
    provide: useValue.name,
    useValue,
  })),
})(NeighborsModule);
const app = await NestFactory.createApplicationContext(NeighborsModule, { logger: ['error'] });
const tenants = app.get(CloacinaTenants);
const a = (await tenants.add({ schema: 'a' })).runner;
const b = (await tenants.add({ schema: 'b' })).runner;

const BEHAVIORS = {
  nothing: () => async () => {},
  'a flood of tasks': () => loop(200, () => a.execute(noop)),
  'transactions that hold connections': () => loop(30, () => a.execute(holding)),
  'session leftovers': () => loop(2, () => a.execute(leaving)),
  'a flooded channel': () => {
    let i = 0;
    return loop(1, () =>
      database.client.query(
        `SELECT pg_notify('cloacina', 'w' || lpad(to_hex(n + ${i++}), 16, '0')) FROM generate_series(1, 200) n`,
      ),
    );
  },
};

async function latencies(workflow) {
  const times = [];
  for (let i = 0; i < SAMPLES; i++) {
    const began = performance.now();
    await b.execute(workflow);
    times.push(performance.now() - began);
  }
  times.sort((x, y) => x - y);
  return { median: times[SAMPLES >> 1], p95: times[Math.floor(SAMPLES * 0.95)] };
}

await latencies(noop);
await latencies(written);
const rows = [];
for (const [name, behave] of Object.entries(BEHAVIORS)) {
  const stop = behave();
  const plain = await latencies(noop);
  const transactional = await latencies(written);
  await stop();
  rows.push({
    'while the other tenant makes': name,
    'one task, ms': plain.median.toFixed(2),
    'its p95': plain.p95.toFixed(2),
    'transactional, ms': transactional.median.toFixed(2),
    p95: transactional.p95.toFixed(2),
  });
}
console.table(rows);
await app.close();
await database.drop();
await server.stop();
