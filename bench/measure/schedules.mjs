import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.mjs';

const WORKER = new URL('./schedules-worker.mjs', import.meta.url);
const MINUTE = 60_000;
const YEAR = 365 * 24 * 60 * MINUTE;
/** How long firings are waited for after their instant. */
const PATIENCE_MS = 170_000;

/**
 * Makes schedules that are due at one instant, or one after the other, and measures when their handlers begin.
 *
 * @param inMs - least time until the first instant, which is a whole minute: peers have no others
 * @param everyMs - the interval of schedules that fire one after the other. Default: all fire at the instant, once
 */
export async function measureSchedules({ server, entry, count, firings = count, ...options }) {
  const { tenants = 1, inMs = 30_000, everyMs } = options;
  const database = await server.createDatabase();
  const at = Math.ceil((Date.now() + inMs) / MINUTE) * MINUTE;
  const settings = { name: entry.name, url: database.url, count, tenants, at, everyMs, firings };
  const child = forkWorker(settings);
  try {
    await message(child, ({ isReady }) => isReady, 'the schedules');
    if (Date.now() > at)
      throw new Error('It took longer to make the schedules than until they were due.');
    const patience = setTimeout(() => child.send('stop'), at - Date.now() + PATIENCE_MS);
    const { lags, twice } = await message(child, ({ lags: all }) => all, 'the firings');
    clearTimeout(patience);
    const lastMs = Math.max(...lags);
    return {
      perSecond: everyMs === undefined ? (lags.length / Math.max(lastMs, 1)) * 1_000 : null,
      p50: quantile(lags, 0.5),
      p95: quantile(lags, 0.95),
      lastMs,
      missing: firings - lags.length,
      twice,
    };
  } finally {
    child.kill('SIGKILL');
    await database.drop();
  }
}

/**
 * What a process costs while all of its schedules are far away.
 *
 * @param count - 0: no tenant has a schedule
 * @param settleMs - until what the boot and the new schedules set off is over
 */
export async function measureFarSchedules({ server, entry, count, tenants, settleMs, ms }) {
  const database = await server.createDatabase();
  const { name } = entry;
  const at = Date.now() + YEAR;
  // One more firing than there will be, so that the process goes on.
  const child = forkWorker({ name, url: database.url, count, tenants, at, firings: count + 1 });
  const look = async () => {
    const { statements, serverCpuMs } = await server.counters(database.name);
    const answer = message(child, ({ usage }) => usage, 'its processor time');
    child.send('usage');
    const { user, system } = (await answer).usage;
    return { statements, serverCpuMs, clientCpuMs: (user + system) / 1_000, at: performance.now() };
  };
  try {
    await message(child, ({ isReady }) => isReady, 'the schedules');
    await delay(settleMs);
    await server.settle();
    const before = await look();
    await delay(ms);
    const after = await look();
    const { calls } = await server.calls(database.name, '%cloacina_schedule%');
    const seconds = (after.at - before.at) / 1_000;
    const each = (of) => (after[of] - before[of]) / seconds;
    return {
      statementsPerSecond: each('statements'),
      scheduleStatementsPerSecond: calls / seconds,
      clientCpuPercent: each('clientCpuMs') / 10,
      serverCpuPercent: each('serverCpuMs') / 10,
    };
  } finally {
    child.kill('SIGKILL');
    await database.drop();
  }
}

function forkWorker(settings) {
  return fork(WORKER, [], {
    env: { ...process.env, BENCH_SCHEDULES: JSON.stringify(settings), NODE_NO_WARNINGS: '1' },
  });
}

function message(child, isIt, what) {
  return new Promise((resolve, reject) => {
    child.on('message', (each) => isIt(each) && resolve(each));
    child.once('exit', (code) => reject(new Error(`It ended with ${code} before ${what}.`)));
  });
}
