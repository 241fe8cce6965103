import { randomUUID } from 'node:crypto';
import { PgBoss } from 'pg-boss';
import { batchSize, inBatches, withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { timeUntilRecorded } from '../measure/latency.mjs';
import { CREATE_MAPS, INSERT_MAP } from './counted-maps.mjs';
import { startBatchWorkers } from './pg-boss-batches.mjs';
import { taskWork } from '../measure/shape.mjs';

const QUEUE = 'bench';
/** Callers at a time where jobs are sent one by one. */
const CALLERS = 100;

export const pgBoss = {
  name: 'pg-boss',
  package: 'pg-boss',
  configurations: {
    default: {
      about: 'default options (1 job every 2 seconds); send(), chains by flow()',
      constructor: {},
    },
    notify: {
      about:
        'useListenNotify, localConcurrency 10, polling every 0.5 s, flowIntervalSeconds 1; send(), chains by flow()',
      constructor: { useListenNotify: true, flowIntervalSeconds: 1 },
      queue: { notify: true },
      work: {
        localConcurrency: 10,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5,
      },
    },
    batches: {
      about:
        'insert() of 1,000, fetch() and complete() of 1,000 in 2 loops; chains by flow() of 300 at a time, resolveFlow() after each complete()',
      constructor: {},
      batch: { insert: 1_000, flow: 300, fetch: 1_000, loops: 2 },
    },
    'batches, chained by hand': {
      about:
        'as above, but a batch inserts the next jobs of its chains, or counts its maps down, in the transaction that completes it, all or none',
      constructor: {},
      batch: { insert: 1_000, fetch: 1_000, loops: 2, next: true },
    },
  },
  canRun: (shape, configuration) =>
    shape.kind === 'map'
      ? configuration.batch?.next === true
      : shape.kind === 'chain' || !configuration.batch?.next,
  unfinished: (schema = 'pgboss') => `EXISTS (SELECT FROM ${schema}.job WHERE state < 'completed')`,
  unfinishedOne: "SELECT FROM pgboss.job WHERE id = $1 AND state < 'completed'",
  open: openPgBoss,
  openSchema: openPgBoss,
};

async function openPgBoss(settings) {
  const { url, configuration, shape, claims = true, schema = 'pgboss', pool } = settings;
  const { handled = new Handled() } = settings;
  const connection = pool
    ? { db: { executeSql: (text, values) => pool.query(text, values) } }
    : { connectionString: url };
  const boss = new PgBoss({ ...connection, schema, ...configuration.constructor });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE, configuration.queue).catch(() => {}); // another process made it
  const flows = shape.tasks.length > 1 && !configuration.batch?.next;
  const data = { no: 0, last: shape.tasks.length === 1, payload: shape.payload };
  let stopWorkers = async () => {};
  if (claims && configuration.batch) {
    stopWorkers = startBatchWorkers({
      boss,
      queue: QUEUE,
      batch: configuration.batch,
      shape,
      handled,
    });
  } else if (claims) {
    const work = taskWork(shape);
    await boss.work(QUEUE, { ...configuration.work }, async ([job]) => {
      await work();
      if (job.data.last) handled.add();
    });
  }
  if (shape.kind === 'map') {
    await boss.getDb().executeSql(CREATE_MAPS);
    return {
      handled,
      start: (count) => startMaps(boss, configuration.batch, shape, count),
      close: async () => {
        await stopWorkers();
        await boss.stop({ graceful: false });
      },
    };
  }
  const insert = flows
    ? (length) => boss.flow(flowOf(shape, length))
    : (length) =>
        boss.insert(
          QUEUE,
          Array.from({ length }, () => ({ data })),
        );
  const send = flows
    ? async () => (await boss.flow(flowOf(shape, 1)))[lastRef(shape, 0)]
    : () => boss.send(QUEUE, data);
  const size = flows ? configuration.batch?.flow : configuration.batch?.insert;
  return {
    handled,
    start: (count) =>
      size === undefined
        ? withCallers(CALLERS, count, send)
        : inBatches(batchSize(size, shape), count, insert),
    timeOne: (isUnfinished) => timeUntilRecorded({ handled, accept: send, isUnfinished }),
    close: async () => {
      await stopWorkers();
      await boss.stop({ graceful: false });
    },
  };
}

/** The jobs of a map, and before them the row that counts them. */
async function startMaps(boss, { insert }, { items }, count) {
  for (let left = count; left > 0; left--) {
    const map = randomUUID();
    await boss.getDb().executeSql(INSERT_MAP, [map, items]);
    await inBatches(insert, items, (length) =>
      boss.insert(
        QUEUE,
        Array.from({ length }, () => ({ data: { map } })),
      ),
    );
  }
}

/** So many executions of the shape as one flow. */
function flowOf(shape, count) {
  const jobs = [];
  for (let execution = 0; execution < count; execution++) {
    for (const [no, { dependsOn, last }] of shape.tasks.entries()) {
      jobs.push({
        ref: `${execution}/${no}`,
        name: QUEUE,
        data: { no, last: last === true, payload: shape.payload },
        dependsOn: dependsOn.map((dependency) => `${execution}/${dependency}`),
      });
    }
  }
  return jobs;
}

function lastRef(shape, execution) {
  return `${execution}/${shape.tasks.length - 1}`;
}
