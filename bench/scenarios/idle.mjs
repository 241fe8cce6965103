import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { resultRow } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';

/** Until what a boot sets off is over. */
const SETTLE_MS = 5_000;

export const idle = {
  name: 'idle',
  title: 'What one process costs that has nothing to do',
  unit: 'statements/s',
  higherIsBetter: false,
  main: 'statementsPerSecond',
  columns: [
    ['clientCpuPercent', 'client CPU %'],
    ['connections', 'connections'],
    ['rssMB', 'RSS MB'],
  ],
  async run({ server, quick }) {
    const entries = await entriesOf({
      'nestjs-cloacina': ['default'],
      'graphile-worker': ['default', 'fast'],
      'pg-boss': ['default', 'notify'],
      DBOS: ['default', 'queue'],
      OpenWorkflow: ['default', 'fast'],
    });
    // All at the same time: they have nothing to do that the others could notice.
    const samples = await measureIdle(server, entries, quick ? 5_000 : 20_000);
    const main = 'statementsPerSecond';
    return { rows: entries.map((entry, at) => resultRow(entry, [samples[at]], main)) };
  },
};

async function measureIdle(server, entries, ms) {
  const opened = [];
  try {
    for (const entry of entries) opened.push(await open(server, entry));
    await delay(SETTLE_MS);
    await server.settle();
    const looks = async () => {
      const taken = [];
      for (const { look } of opened) taken.push(await look());
      return taken;
    };
    const before = await looks();
    await delay(ms);
    const after = await looks();
    const samples = [];
    for (const [at, { worker, connections }] of opened.entries()) {
      const seconds = (after[at].at - before[at].at) / 1_000;
      const each = (name) => (after[at][name] - before[at][name]) / seconds;
      samples.push({
        statementsPerSecond: each('statements'),
        clientCpuPercent: each('clientCpuMs') / 10,
        connections: await connections(),
        rssMB: (await worker.call('heap')).rss / 2 ** 20,
      });
    }
    return samples;
  } finally {
    for (const { close } of opened) await close();
  }
}

async function open(server, { name, configuration }) {
  const database = await server.createDatabase();
  const worker = await ContenderProcess.start({
    url: database.url,
    name,
    configuration,
    shape: chain(1),
  });
  return {
    worker,
    connections: () => server.connections(database.name),
    look: async () => {
      const { statements } = await server.counters(database.name);
      const { user, system } = await worker.call('usage');
      return { statements, clientCpuMs: (user + system) / 1_000, at: performance.now() };
    },
    close: async () => {
      await worker.stop();
      await database.drop();
    },
  };
}
