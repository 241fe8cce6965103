/** The application of the scenario `moves`: one process that serves a tenant, and starts an execution as soon as the last has ended. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadBuilt } from './measure/built-library.mjs';

const { SERVERS, SCHEMA: schema, SERVER: server } = process.env;
const { CloacinaModule, CloacinaTenants, defineWorkflow, getRunnerToken } = await loadBuilt();
const servers = JSON.parse(SERVERS);
const HOUR = 3_600_000;

const workflows = [
  defineWorkflow('short')
    .task('once', () => ({ done: true }))
    .build(),
  defineWorkflow('long')
    .task('begin', () => ({ begun: true }))
    .sleep('pause', { for: HOUR, dependsOn: ['begin'] })
    .build(),
];

function WorkerModule() {}
Module({
  imports: [
    CloacinaModule.forRoot({ servers, startTimeout: '1m' }),
    CloacinaModule.forTenant({ schema, server }),
  ],
  providers: workflows.map((workflow) => ({ provide: workflow.name, useValue: workflow })),
})(WorkerModule);
const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
const runner = app.get(getRunnerToken(schema));

/** Whether the short executions go on. */
const load = { isOn: false };
let executed = 0;
let longestMs = 0;
const failures = [];

async function startShort() {
  while (load.isOn) {
    const began = performance.now();
    await runner
      .execute('short', {}, { timeout: '60s' })
      .catch((error) => failures.push(String(error)));
    longestMs = Math.max(longestMs, performance.now() - began);
    executed++;
  }
}

const ORDERS = {
  async fill({ running }) {
    await runner.execute('short', {});
    await Promise.all(Array.from({ length: running }, () => runner.start('long', {})));
    while ((await runner.list({ workflow: 'long', status: 'Pending', limit: 1 })).items.length > 0);
  },
  async load() {
    load.isOn = true;
    void startShort();
  },
  async move({ to }) {
    return app.get(CloacinaTenants).move(schema, { to });
  },
  async unload() {
    load.isOn = false;
    return { executed, longestMs, failures };
  },
};

process.on('message', (message) => {
  if (message === 'stop') return void app.close().then(() => process.disconnect());
  void ORDERS[message.order](message).then(
    (result) => process.send({ type: message.order, result }),
    (error) => process.send({ type: message.order, error: String(error) }),
  );
});
process.send({ type: 'ready' });
