import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { taskWork } from '../measure/shape.mjs';
import { batchSize, inBatches, withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { timeUntilRecorded } from '../measure/latency.mjs';

/** Callers at a time where jobs are added one by one. */
const CALLERS = 100;
const quiet = new Logger(() => () => {});

export const graphileWorker = {
  name: 'graphile-worker',
  package: 'graphile-worker',
  configurations: {
    default: {
      about: 'default options (1 job at a time); addJob() for each job',
      preset: {},
    },
    // The one that its documentation gives for its own best figures.
    fast: {
      about:
        'concurrentJobs 24, maxPoolSize 25, localQueue.size 500, completeJobBatchDelay 0; addJobs() of 1,000 where nothing precedes',
      preset: {
        concurrentJobs: 24,
        maxPoolSize: 25,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
      batch: 1_000,
    },
  },
  canRun: (shape) => shape.kind === 'chain',
  unfinished: (schema = 'graphile_worker') => `EXISTS (SELECT FROM ${schema}._private_jobs)`,
  unfinishedOne: 'SELECT FROM graphile_worker._private_jobs WHERE id = $1',
  open: openGraphileWorker,
  openSchema: openGraphileWorker,
};

async function openGraphileWorker(settings) {
  const { url, configuration, shape, claims = true, schema = 'graphile_worker', pool } = settings;
  const { handled = new Handled() } = settings;
  const preset = { worker: { ...configuration.preset, schema } };
  if (pool === undefined) preset.worker.connectionString = url;
  const options = { preset, logger: quiet, ...(pool && { pgPool: pool }) };
  const utils = await makeWorkerUtils(options);
  await utils.migrate();
  const taskList = tasksOf(shape, handled);
  const runner = claims ? await run({ ...options, noHandleSignals: true, taskList }) : undefined;
  const payload = shape.payload === undefined ? {} : { payload: shape.payload };
  return {
    handled,
    start: async (count) => {
      if (configuration.batch === undefined) {
        await withCallers(CALLERS, count, () => utils.addJob('task-0', payload));
      } else {
        await inBatches(batchSize(configuration.batch, shape), count, (length) =>
          utils.addJobs(Array.from({ length }, () => ({ identifier: 'task-0', payload }))),
        );
      }
    },
    timeOne: (isUnfinished) =>
      timeUntilRecorded({
        handled,
        accept: async () => (await utils.addJob('task-0', payload)).id,
        isUnfinished,
      }),
    close: async () => {
      await runner?.stop();
      await utils.release();
    },
  };
}

/** A job adds the next one of its chain, and is completed after that. */
function tasksOf(shape, handled) {
  const work = taskWork(shape);
  const tasks = {};
  for (const [no, { last }] of shape.tasks.entries()) {
    tasks[`task-${no}`] = async (payload, { addJob }) => {
      await work();
      if (last) handled.add();
      else await addJob(`task-${no + 1}`, payload);
    };
  }
  return tasks;
}
