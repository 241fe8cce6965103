/** One process of the restart benchmark: see restart.mjs. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { builtLibrary } from './measure/built-library.mjs';

const { URL: databaseUrl, SCHEMA: schema, ROLE: role } = process.env;
const backlog = Number(process.env.BACKLOG);
/** What the library imports, and an application that uses it has loaded. */
const PEERS = ['rxjs', 'pg', 'typeorm', '@nestjs/typeorm', '@nestjs/schedule'];
/** Executions are waited for as long as a busy machine takes to start PostgreSQL. */
const OPTIONS = role === 'fill' ? { maxConcurrentTasks: 0 } : { startTimeout: '1m' };

for (const peer of PEERS) await import(peer);
const before = performance.now();
const { CloacinaModule, defineWorkflow, getRunnerToken } = await import(builtLibrary);
const imported = performance.now();

let begun = 0;
const workflow = defineWorkflow('restart')
  .task('once', () => {
    if (role !== 'boot') return;
    if (++begun === 1) process.send({ type: 'claimed', ms: performance.now() - imported });
    if (begun === backlog) process.send({ type: 'done' });
  })
  .build();

const ORDERS = {
  async fill(runner) {
    for (let i = 0; i < backlog; i++) await runner.start('restart', {});
    process.send({ type: 'filled' });
  },
  async execute(runner, { as }) {
    await runner.execute('restart', {});
    process.send({ type: as });
  },
};

async function boot() {
  const imports = [CloacinaModule.forTenant({ schema, databaseUrl, ...OPTIONS })];
  const providers = [{ provide: 'restart', useValue: workflow }];
  function WorkerModule() {}
  Module({ imports, providers })(WorkerModule);
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
  const runner = app.get(getRunnerToken(schema));
  process.on('message', (message) => {
    if (message === 'stop') void app.close().then(() => process.disconnect());
    else void ORDERS[message.order](runner, message);
  });
}

if (role !== 'load') await boot();
process.send({ type: 'ready' });
if (role === 'load') {
  process.send({ type: 'loaded', ms: imported - before }, () => process.disconnect());
}
