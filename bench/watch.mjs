import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from './measure/contenders.mjs';
import { startWorker } from './measure/forked-worker.mjs';
import { ContenderProcess } from './measure/process.mjs';
import { chain } from './measure/shape.mjs';
import { median } from './statistics.mjs';

const WORKER = new URL('./recovery-worker.mjs', import.meta.url);
const SCHEMA = 'bench_watch';
/** Tasks that the killed process runs: one, so that one process takes all of them. */
const TASKS = 1;
/** Until the processes that have just booted are sure of each other. */
const SETTLE_MS = 25_000;

/**
 * Statements a second of all processes together while there is no work and while one task runs, how many of them read
 * pg_locks, and the milliseconds from a kill to the dead process's tasks running again.
 */
export async function measureWatch(server, { counts, seconds, kills }) {
  const table = {};
  for (const count of counts) {
    const database = await server.createDatabase();
    const start = (role) =>
      startWorker(WORKER, { URL: database.url, SCHEMA, ROLE: role, TASKS, OPTIONS: '{}' });
    const takers = [];
    while (takers.length < count) {
      // In parts: all at the same time would be about the boot.
      const part = Math.min(4, count - takers.length);
      takers.push(...(await Promise.all(Array.from({ length: part }, () => start('take')))));
    }
    await delay(SETTLE_MS);
    const idle = await rates(server, database, seconds);
    let onTaken = () => {};
    for (const taker of takers) void tellTaken(taker, () => onTaken());
    const times = [];
    let working;
    for (let i = 0; i < kills; i++) {
      const victim = await start('hold');
      await victim.next('holding');
      working ??= await rates(server, database, Math.min(seconds, 10));
      const taken = new Promise((resolve) => (onTaken = resolve));
      const killed = performance.now();
      victim.process.kill('SIGKILL');
      await taken;
      times.push(performance.now() - killed);
    }
    for (const taker of takers) taker.process.kill('SIGKILL');
    table[`${count} ${count === 1 ? 'process' : 'processes'}`] = {
      'idle/s': round(idle.statements),
      'of pg_locks': round(idle.locks),
      'with a lease/s': round(working.statements),
      'pg_locks with a lease': round(working.locks),
      'loss noticed, median ms': Math.round(median(times)),
      'max ms': Math.round(Math.max(...times)),
    };
    await database.drop();
  }
  return table;
}

/** The same processes of other libraries, which have nothing to do. */
export async function measureIdlePeers(server, { counts, seconds }) {
  const entries = await entriesOf({
    'nestjs-cloacina': ['default'],
    'graphile-worker': ['default'],
    'pg-boss': ['default'],
    DBOS: ['default'],
    OpenWorkflow: ['default'],
  });
  const table = {};
  for (const { name, configuration, label } of entries) {
    const row = {};
    for (const count of counts) {
      const database = await server.createDatabase();
      const workers = [];
      while (workers.length < count) {
        const settings = { url: database.url, name, configuration, shape: chain(1) };
        workers.push(await ContenderProcess.start(settings));
      }
      await delay(SETTLE_MS);
      row[`${count}: statements/s`] = round((await rates(server, database, seconds)).statements);
      await Promise.all(workers.map((worker) => worker.stop()));
      await database.drop();
    }
    table[label] = row;
  }
  return table;
}

async function tellTaken(taker, tell) {
  try {
    for (;;) {
      await taker.next('taken');
      tell();
    }
  } catch {
    // The worker has ended.
  }
}

async function rates(server, database, seconds) {
  const look = async () => ({
    statements: (await server.counters(database.name)).statements,
    locks: (await server.calls(database.name, '%pg_locks%')).calls,
    at: performance.now(),
  });
  const before = await look();
  await delay(seconds * 1_000);
  const after = await look();
  const each = (name) => ((after[name] - before[name]) * 1_000) / (after.at - before.at);
  return { statements: each('statements'), locks: each('locks') };
}

function round(value) {
  return Math.round(value * 100) / 100;
}
