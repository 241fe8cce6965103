import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger, makeWorkerUtils, parseCronItems, run } from 'graphile-worker';
import { PgBoss } from 'pg-boss';
import { loadBuilt } from '../measure/built-library.mjs';

/** Calls that make schedules, at a time. */
const CALLERS = 20;

/**
 * The schedules of each contender: makes `count` of them, and calls `fired` in the handler of each firing. All resolve to a
 * function that stops.
 */
export const cronOf = {
  'nestjs-cloacina': cloacina,
  'pg-boss': pgBoss,
  'graphile-worker': graphileWorker,
};

/** @param spec - when the schedule of this number fires */
async function cloacina({ url, count, tenants, spec, fired }) {
  const { CloacinaModule, defineWorkflow, getRunnerToken } = await loadBuilt();
  const workflow = defineWorkflow('scheduled')
    .task('run', (context) =>
      fired(context.schedule.scheduledAt.getTime(), `${context.tenant}/${context.schedule.name}`),
    )
    .build();
  const schemas = Array.from({ length: tenants }, (_, no) => `tenant_${no}`);
  class CronModule {
    workflow = workflow;
  }
  Module({
    imports: [
      CloacinaModule.forRoot({ databaseUrl: url }),
      ...schemas.map((schema) => CloacinaModule.forTenant({ schema })),
    ],
    providers: [{ provide: workflow.name, useValue: workflow }],
  })(CronModule);
  const app = await NestFactory.createApplicationContext(CronModule, { logger: ['error'] });
  const runners = schemas.map((schema) => app.get(getRunnerToken(schema)));
  await manyTimes(count, (no) =>
    runners[no % tenants].schedules.create(`s${no}`, 'scheduled', spec(no)),
  );
  return () => app.close();
}

/** Looks for due schedules every second, which is as often as it can. */
async function pgBoss({ url, count, fired }) {
  const boss = new PgBoss({
    connectionString: url,
    useListenNotify: true,
    cronMonitorIntervalSeconds: 1,
    cronWorkerIntervalSeconds: 1,
  });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('scheduled', { notify: true });
  const work = { localConcurrency: 10, pollingIntervalSeconds: 0.5 };
  await boss.work('scheduled', work, async ([job]) => fired(undefined, job.data.no));
  await manyTimes(count, (no) =>
    boss.schedule('scheduled', '* * * * *', { no }, { key: `s${no}` }),
  );
  return () => boss.stop({ graceful: false });
}

/** Its schedules are those of the process: they are given when it begins. */
async function graphileWorker({ url, count, fired }) {
  const parsedCronItems = parseCronItems(
    Array.from({ length: count }, (_, no) => ({
      task: 'scheduled',
      match: '* * * * *',
      identifier: `s${no}`,
      payload: { no },
    })),
  );
  const worker = {
    connectionString: url,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
  };
  const options = { preset: { worker }, logger: new Logger(() => () => {}) };
  const utils = await makeWorkerUtils(options);
  await utils.migrate();
  await utils.release();
  const taskList = { scheduled: async ({ no }) => fired(undefined, no) };
  const runner = await run({ ...options, noHandleSignals: true, parsedCronItems, taskList });
  return () => runner.stop();
}

async function manyTimes(count, work) {
  let next = 0;
  const caller = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}
