import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { format } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';

const LOOKS = 4;
/** Of the heap, over three quarters of the executions: what a leak of 50 bytes an execution would exceed. */
const GROWTH_MB = 5;
const TENANTS = 100;
const FLOOD = 20_000;
const IDLE_MS = 60_000;

/** What a process keeps: after many executions, and after a flood that is over. */
export const memory = {
  name: 'memory',
  title: 'Memory: over 200,000 executions, and around a flood of 20,000 in 100 tenants',
  async run({ server, quick }) {
    const executions = quick ? 20_000 : 200_000;
    const growth = await measureGrowth(server, executions);
    const flood = await measureFlood(server, quick ? 10_000 : IDLE_MS);
    const verdict = growth.grown < GROWTH_MB ? 'no growth' : 'IT GROWS';
    return {
      tables: [growth.table, flood.table],
      notes: [
        `${verdict}: ${format(growth.grown)} MB over ${format(executions)} executions`,
        `the flood left ${format(flood.keptMB)} MB of heap`,
      ],
      heapGrowthMB: growth.grown,
      heapKeptMB: flood.keptMB,
    };
  },
};

/** One tenant; after a collection each time. */
async function measureGrowth(server, executions) {
  return withWorker(server, {}, async (worker) => {
    const table = {};
    const heaps = [];
    for (let look = 1; look <= LOOKS; look++) {
      await worker.call('start', executions / LOOKS);
      const usage = await worker.call('heap');
      heaps.push(usage.heapUsed / 2 ** 20);
      table[`${format((executions / LOOKS) * look)} executions`] = cellsOf(usage);
    }
    return { table, grown: heaps.at(-1) - heaps[0] };
  });
}

/** A hundred tenants; all starts at the same time, then nothing. Nothing is collected that V8 does not collect by itself. */
async function measureFlood(server, idleMs) {
  const schemas = Array.from({ length: TENANTS }, (_, no) => `tenant_${no}`);
  return withWorker(server, { schemas }, async (worker) => {
    const table = {};
    const look = async (when, call = 'memory') => {
      const usage = await worker.call(call);
      table[when] = cellsOf(usage);
      return usage.heapUsed / 2 ** 20;
    };
    // One execution in each tenant, so that what a first use costs is not charged to the flood.
    await worker.call('start', TENANTS);
    const before = await look('before the flood, after a collection', 'heap');
    await worker.call('call', ['flood', FLOOD]);
    await look('after the flood');
    await delay(idleMs);
    await look(`${format(idleMs / 1_000)} s later`);
    const after = await look('the same, after a collection', 'heap');
    return { table, keptMB: after - before };
  });
}

async function withWorker(server, { schemas }, work) {
  const [entry] = await entriesOf({ 'nestjs-cloacina': ['default'] });
  const database = await server.createDatabase();
  const worker = await ContenderProcess.start({
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape: chain(1),
    schemas,
  });
  try {
    return await work(worker);
  } finally {
    await worker.stop();
    await database.drop();
  }
}

function cellsOf({ heapUsed, heapTotal, external, rss }) {
  return {
    'heap MB': format(heapUsed / 2 ** 20),
    'heap reserved MB': format(heapTotal / 2 ** 20),
    'external MB': format(external / 2 ** 20),
    'RSS MB': format(rss / 2 ** 20),
  };
}
