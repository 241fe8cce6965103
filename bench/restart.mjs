import { setTimeout as sleep } from 'node:timers/promises';
import { RestartableServer } from './measure/restartable-server.mjs';
import { startWorker } from './measure/forked-worker.mjs';
import { median, quantile } from './statistics.mjs';

const WORKER = new URL('./restart-worker.mjs', import.meta.url);
const SCHEMA = 'bench_restart';
/** Executions that wait for the process that boots. */
const BACKLOG = 20;

/**
 * Milliseconds until a process is at work again: to load the library when what it stands on is loaded, from there to
 * the beginning of the first task of a backlog, and, when the server was killed under it and started again, from the
 * server's first connection to the end of an execution.
 */
export async function measureRestarts(url, runs) {
  const loads = [];
  const claims = [];
  const filler = await start(url, 'fill');
  for (let i = 0; i < runs; i++) {
    const loader = await start(url, 'load');
    loads.push((await loader.next('loaded')).ms);
    filler.send({ order: 'fill' });
    await filler.next('filled');
    const booted = await start(url, 'boot');
    claims.push((await booted.next('claimed')).ms);
    await booted.next('done');
    await booted.stop();
  }
  await filler.stop();
  return {
    "loading the library's own modules": row(loads),
    'from the import to the first task of a backlog': row(claims),
    ...(await afterServerRestarts(runs)),
  };
}

/** The server is away for one to two seconds: waits that grow with the time that it is away are at different points. */
async function afterServerRestarts(runs) {
  const server = await RestartableServer.start();
  const fresh = [];
  const waiting = [];
  try {
    const worker = await start(server.url, 'serve');
    for (let i = 0; i < runs; i++) {
      await execution(worker);
      await server.kill();
      worker.send({ order: 'execute', as: 'waiting ended' });
      await sleep(1_000 + ((i * 370) % 1_000));
      const accepted = await server.startAgain();
      const [ofFresh, ofWaiting] = await Promise.all([
        execution(worker),
        worker.next('waiting ended').then(() => performance.now()),
      ]);
      fresh.push(ofFresh - accepted);
      waiting.push(ofWaiting - accepted);
    }
    await worker.stop();
  } finally {
    await server.stop();
  }
  return {
    'from the killed server back to the end of a new execution': row(fresh),
    'and of one that was asked for while it was away': row(waiting),
  };
}

function start(url, role) {
  return startWorker(WORKER, { URL: url, SCHEMA, ROLE: role, BACKLOG });
}

async function execution(worker) {
  worker.send({ order: 'execute', as: 'new ended' });
  await worker.next('new ended');
  return performance.now();
}

function row(times) {
  return {
    runs: times.length,
    'median ms': Math.round(median(times)),
    'p95 ms': Math.round(quantile(times, 0.95)),
    'max ms': Math.round(Math.max(...times)),
  };
}
