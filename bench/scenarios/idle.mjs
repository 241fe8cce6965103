import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { interleave } from '../measure/rounds.mjs';
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
    ['transactionsPerSecond', 'that write/s'],
    ['serverCpuPercent', 'server CPU %'],
    ['clientCpuPercent', 'client CPU %'],
    ['connections', 'connections'],
    ['rssMB', 'RSS MB'],
  ],
  async run({ server, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina': ['default'],
      'graphile-worker': ['default', 'fast'],
      'pg-boss': ['default', 'notify'],
      DBOS: ['default', 'queue'],
      OpenWorkflow: ['default', 'fast'],
    });
    const measure = (entry) => measureIdle(server, entry, quick ? 5_000 : 20_000);
    return {
      rows: await interleave({ entries, rounds: 1, main: 'statementsPerSecond', measure, log }),
    };
  },
};

async function measureIdle(server, entry, ms) {
  const database = await server.createDatabase();
  const worker = await ContenderProcess.start({
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape: chain(1),
  });
  try {
    await delay(SETTLE_MS);
    await server.settle();
    const look = async () => ({
      ...(await server.counters(database.name)),
      usage: await worker.call('usage'),
      at: performance.now(),
    });
    const before = await look();
    await delay(ms);
    const after = await look();
    const seconds = (after.at - before.at) / 1_000;
    const each = (name) => (after[name] - before[name]) / seconds;
    const cpuOf = ({ usage }) => (usage.user + usage.system) / 1_000;
    return {
      statementsPerSecond: each('statements'),
      transactionsPerSecond: each('transactions'),
      serverCpuPercent: after.serverCpuMs === null ? null : each('serverCpuMs') / 10,
      clientCpuPercent: (cpuOf(after) - cpuOf(before)) / seconds / 10,
      connections: await server.connections(database.name),
      rssMB: (await worker.call('heap')).rss / 2 ** 20,
    };
  } finally {
    await worker.stop();
    await database.drop();
  }
}
