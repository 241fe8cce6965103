/**
 * A process of one contender, told over IPC what to do. It says how many executions it has handled whenever that has
 * changed, but not more often than it matters.
 */
import pg from 'pg';
import { loadContender } from './contenders.mjs';
import { openMany } from './many.mjs';
import { payloadOf } from './shape.mjs';

const TELL_EVERY_MS = 2;
const LOOK_EVERY_MS = 20;
const COLLECT_EVERY_MS = 100;
const { url, name, configuration, shape, claims, alone, burst, schemas } = JSON.parse(
  process.env.BENCH_WORKER,
);

const contender = await loadContender(name);
const settings = {
  url,
  configuration: contender.configurations[configuration],
  shape: { ...shape, payload: payloadOf(shape) },
  claims,
  alone,
  burst,
  schemas,
};
const session =
  schemas !== undefined && contender.openSchema !== undefined
    ? await openMany(contender, settings)
    : await contender.open(settings);
let looker;
let told = 0;
const telling = setInterval(tell, TELL_EVERY_MS);

const calls = {
  start: (count) => session.start(count),
  startMeasured,
  heap: () => {
    globalThis.gc();
    return process.memoryUsage();
  },
  /** As it is, garbage included. */
  memory: () => process.memoryUsage(),
  usage: () => process.cpuUsage(),
  timeOne: async () => {
    if (contender.unfinishedOne && !looker) {
      looker = new pg.Client(url);
      await looker.connect();
    }
    return session.timeOne(isUnfinished);
  },
  call: ([method, ...args]) => session[method](...args),
  stop: async () => {
    clearInterval(telling);
    await looker?.end();
    await session.close();
  },
};

process.on('message', (message) => void answer(message));
process.send({ id: 0 });

async function answer({ id, call, argument }) {
  try {
    const result = await calls[call](argument);
    tell();
    process.send({ id, result });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
  if (call === 'stop') process.disconnect();
}

function tell() {
  if (session.handled.count === told) return;
  told = session.handled.count;
  process.send({ handled: told });
}

/**
 * Starts as the contender starts many, or with `untilEnded` one by one until they have ended, if its `start` waits for that.
 * Returns the time, and how far the heap has grown at the most: with the garbage that V8 had no reason to collect, or with
 * `collects` what was in use.
 */
async function startMeasured({ count, collects, untilEnded = false }) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  let peak = before;
  const look = () => {
    if (collects) globalThis.gc();
    peak = Math.max(peak, process.memoryUsage().heapUsed);
  };
  const looking = setInterval(look, collects ? COLLECT_EVERY_MS : LOOK_EVERY_MS);
  const began = performance.now();
  await ((!untilEnded && session.startMany) || session.start)(count);
  const ms = performance.now() - began;
  clearInterval(looking);
  return { ms, heapMB: (peak - before) / 2 ** 20 };
}

async function isUnfinished(id) {
  const { rowCount } = await looker.query({
    name: 'unfinished',
    text: contender.unfinishedOne,
    values: [id],
  });
  return rowCount > 0;
}
