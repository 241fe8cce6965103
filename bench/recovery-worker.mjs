import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadBuilt } from './measure/built-library.mjs';

const { CloacinaModule, defineWorkflow, getRunnerToken } = await loadBuilt();

const { URL: databaseUrl, SCHEMA: schema, ROLE: role, OPTIONS: options } = process.env;
const tasks = Number(process.env.TASKS);
let running = 0;
let bootstrapAt = 0;

/** The holder's tasks never end; the taker's end at once, so that its slots are free for the next round. */
const workflow = defineWorkflow('hold')
  .task('hold', async (context) => {
    if (role === 'hold') {
      running++;
      await new Promise(() => {});
    } else if (context.recoveryAttempt > 0 && ++running === tasks) {
      running = 0;
      process.send({ type: 'taken', sinceBootstrapMs: performance.now() - bootstrapAt });
    }
  })
  .build();

class WorkerModule {
  onModuleInit() {
    // The last hook before those of the bootstrap, and it waits for nothing.
    bootstrapAt = performance.now();
  }
}
Module({
  imports: [
    CloacinaModule.forTenant({
      schema,
      databaseUrl,
      maxConcurrentTasks: tasks,
      ...JSON.parse(options),
    }),
  ],
  providers: [{ provide: 'hold', useValue: workflow }],
})(WorkerModule);

const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
process.on('message', () => void app.close().then(() => process.disconnect()));
process.send({ type: 'ready' });
if (role === 'hold') {
  const runner = app.get(getRunnerToken(schema));
  // The taker may take one: then another is started.
  const holdsAll = () => running >= tasks;
  while (!holdsAll()) {
    await runner.start('hold', {});
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  process.send({ type: 'holding' });
}
