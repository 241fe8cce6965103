import { setTimeout as delay } from 'node:timers/promises';
import { ContenderProcess } from './process.mjs';
import { costs, counters } from './throughput.mjs';
import { admissions, sharedNow, utilization } from './slot-audit.mjs';

const LOOK_EVERY_MS = 20;
/** Without one more run in such a time, a contender is given up. */
const STALLED_MS = 60_000;

/**
 * Works off a backlog of all keys by some processes, from when all of them are ready: tasks a second, what each cost, the part
 * of the slots' time that was used, and the runs over the limit.
 */
export async function measureLimitDrain({ server, entry, shape, count, processes }) {
  const { keys, perKey } = shape;
  return withProcesses({ server, entry, shape }, async ({ open, database }) => {
    const enqueuer = await open({ claims: false });
    await enqueuer.call('call', ['startKeyed', count, keys]);
    await enqueuer.stop();
    await server.settle();
    const workers = await Promise.all(Array.from({ length: processes }, () => open()));
    const readyAt = sharedNow();
    const run = { workers, database };
    const before = await counters(server, run);
    const handledBefore = handledBy(workers);
    await handledAll(workers, count);
    const after = await counters(server, run);
    const runs = await runsOf(workers);
    const last = Math.max(...runs.map(([, , ended]) => ended));
    const counted = runs.filter(([, , ended]) => ended > readyAt).length;
    return {
      perSecond: (counted / (last - readyAt)) * 1_000,
      ...admissions(runs, perKey),
      used: utilization(runs, perKey, readyAt),
      ...costs(before, after, count - handledBefore),
    };
  });
}

/** Opens a database and as many processes as `work` asks for, and closes them. */
export async function withProcesses({ server, entry, shape }, work) {
  const database = await server.createDatabase();
  const opened = [];
  const open = async ({ claims = true } = {}) => {
    const worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape,
      claims,
    });
    opened.push(worker);
    return worker;
  };
  try {
    return await work({ open, database });
  } finally {
    await Promise.all(opened.map((worker) => worker.stop()));
    await database.drop();
  }
}

/** When the handlers of all processes began and ended. */
export async function runsOf(workers) {
  return (await Promise.all(workers.map((worker) => worker.call('call', ['takeRuns'])))).flat();
}

function handledBy(workers) {
  return workers.reduce((sum, worker) => sum + worker.handled, 0);
}

async function handledAll(workers, count) {
  let seen = -1;
  let since = sharedNow();
  for (;;) {
    const handled = handledBy(workers);
    if (handled >= count) return;
    if (handled > seen) [seen, since] = [handled, sharedNow()];
    if (sharedNow() - since > STALLED_MS)
      throw new Error(`It stood still at ${handled} of ${count}.`);
    await delay(LOOK_EVERY_MS);
  }
}
