import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.mjs';
import { ContenderProcess } from './process.mjs';
import { costs, counters } from './throughput.mjs';

/** Callers that execute workflows while others are cancelled, and how long they do it before. */
const CALLERS = 10;
const BEFORE_MS = 3_000;

/** How many executions a second one process starts that only starts, and how far its heap grows. */
export async function measureBulkStarts({ server, entry, shape, count }) {
  return withWorker({ server, entry, shape, claims: false }, async (worker, run) => {
    // Before, which also has the code compiled and the statements prepared.
    const { heapMB: usedMB } = await worker.call('startMeasured', {
      count: count / 4,
      collects: true,
    });
    await server.settle();
    const before = await counters(server, run);
    const { ms, heapMB } = await worker.call('startMeasured', { count, collects: false });
    const after = await counters(server, run);
    const figures = { perSecond: (count / ms) * 1_000, ms, usedMB, heapMB };
    return { ...figures, ...costs(before, after, count) };
  });
}

/** How long it takes to cancel many executions, and how long others take from the call to the result before and during it. */
export async function measureBulkCancel({ server, entry, shape, count }) {
  return withWorker({ server, entry, shape }, async (worker) => {
    await worker.call('call', ['startLater', count]);
    await server.settle();
    return worker.call('call', ['cancelBeside', count]);
  });
}

/** The latencies of executions by a few callers until `done` resolves. */
export async function latenciesUntil(done, execute) {
  const times = [];
  const over = new AbortController();
  const caller = async () => {
    while (!over.signal.aborted) {
      const began = performance.now();
      await execute();
      times.push(performance.now() - began);
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller));
  await done;
  over.abort();
  await callers;
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), executions: times.length };
}

export function someSeconds() {
  return delay(BEFORE_MS);
}

async function withWorker({ server, entry, shape, claims = true }, work) {
  const database = await server.createDatabase();
  let worker;
  try {
    worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape,
      claims,
      alone: true,
    });
    return await work(worker, { workers: [worker], database });
  } finally {
    await worker?.stop();
    await database.drop();
  }
}
