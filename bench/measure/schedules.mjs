import { fork } from 'node:child_process';
import { quantile } from '../statistics.mjs';

const WORKER = new URL('./schedules-worker.mjs', import.meta.url);
const MINUTE = 60_000;
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
  const child = fork(WORKER, [], {
    env: { ...process.env, BENCH_SCHEDULES: JSON.stringify(settings), NODE_NO_WARNINGS: '1' },
  });
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

function message(child, isIt, what) {
  return new Promise((resolve, reject) => {
    child.on('message', (each) => isIt(each) && resolve(each));
    child.once('exit', (code) => reject(new Error(`It ended with ${code} before ${what}.`)));
  });
}
