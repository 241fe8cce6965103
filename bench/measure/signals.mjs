import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.mjs';
import { ContenderProcess } from './process.mjs';
import { costs, counters } from './throughput.mjs';

/** Executions that wait before the first of them is signalled. */
const WAITING = 2_000;
const QUICK_WAITING = 500;
/** Between two signals of the idle measurement. */
const PAUSE_MS = 10;
const RUNS = 100;

/**
 * Executions whose one task waits for a message: how many a second are signalled, resumed and completed once all of them
 * wait, at what cost, and how long one takes from the signal to the code behind the wait when nothing else happens.
 */
export async function measureSignals({ server, entry, quick }) {
  const database = await server.createDatabase();
  let worker;
  try {
    worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape: { kind: 'signal', tasks: [{ dependsOn: [], last: true }], handlerMs: 0 },
      alone: true,
    });
    const run = { workers: [worker], database };
    const count = quick ? QUICK_WAITING : WAITING;
    await signalled(worker, count);
    await worker.call('call', ['startWaits', count]);
    await server.settle();
    const before = await counters(server, run);
    const ms = await worker.call('call', ['signalWaits']);
    const after = await counters(server, run);
    const times = [];
    for (let i = 0; i < (quick ? RUNS / 4 : RUNS); i++) {
      await worker.call('call', ['startWaits', 1]);
      await delay(PAUSE_MS);
      times.push(await worker.call('call', ['timeSignal']));
    }
    return {
      perSecond: (count / ms) * 1_000,
      executions: count,
      resumedMs: quantile(times, 0.5),
      resumedP95Ms: quantile(times, 0.95),
      ...costs(before, after, count),
    };
  } finally {
    await worker?.stop();
    await database.drop();
  }
}

/** Once, so that the code is compiled and the statements are prepared. */
async function signalled(worker, count) {
  await worker.call('call', ['startWaits', count]);
  await worker.call('call', ['signalWaits']);
}
