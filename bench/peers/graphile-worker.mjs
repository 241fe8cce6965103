import { randomUUID } from 'node:crypto';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { taskWork } from '../measure/shape.mjs';
import { batchSize, inBatches, withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { timeUntilRecorded } from '../measure/latency.mjs';
import { COUNT_DOWN, CREATE_MAPS, INSERT_MAP } from './counted-maps.mjs';

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
  canRun: (shape) => shape.kind === 'chain' || shape.kind === 'map',
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
  if (shape.kind === 'map') await utils.withPgClient((client) => client.query(CREATE_MAPS));
  const taskList = shape.kind === 'map' ? mappingTasks(shape, handled) : tasksOf(shape, handled);
  const runner = claims ? await run({ ...options, noHandleSignals: true, taskList }) : undefined;
  const payload = shape.payload === undefined ? {} : { payload: shape.payload };
  return {
    handled,
    start: async (count) => {
      if (shape.kind === 'map') return startMaps(utils, configuration, shape, count);
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

/** The jobs of a map are added 1,000 at a time. */
async function startMaps(utils, { batch = 1_000 }, { items }, count) {
  for (let left = count; left > 0; left--) {
    const id = randomUUID();
    await utils.withPgClient((client) => client.query(INSERT_MAP, [id, items]));
    await inBatches(batch, items, (length) =>
      utils.addJobs(Array.from({ length }, () => ({ identifier: 'item', payload: { id } }))),
    );
  }
}

/** Each job counts its map down, and the last one adds the job after it, in one transaction. */
function mappingTasks(shape, handled) {
  const work = taskWork(shape);
  return {
    item: async ({ id }, { withPgClient }) => {
      await work();
      await withPgClient.withRetries(async (client) => {
        await client.query('BEGIN');
        const { rows } = await client.query(COUNT_DOWN, [id, 1]);
        if (rows[0].isOver) await client.query(`SELECT graphile_worker.add_job('merge', '{}')`);
        await client.query('COMMIT');
      });
    },
    merge: async () => {
      await work();
      handled.add();
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
