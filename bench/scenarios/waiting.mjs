import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { format } from '../measure/rounds.mjs';
import { median, quantile } from '../statistics.mjs';

/** Until what a boot or a crowd of starts sets off is over. */
const SETTLE_MS = 10_000;
const RUNS = 100;
const DELIVERY = '%listener AS MATERIALIZED%';
/** Of the heap, for each execution that waits: beyond it the process would keep something of them. */
const BYTES_EACH = 50;

/** What executions cost that wait, and what it takes to wake ten thousand of them by one event. */
export const waiting = {
  name: 'waiting',
  title: '100,000 executions that wait for signals, and 10,000 that one event wakes',
  async run({ server, quick, log }) {
    const parked = quick ? 10_000 : 100_000;
    const listeners = quick ? 2_000 : 10_000;
    const idleMs = quick ? 10_000 : 60_000;
    const opened = await open(server);
    try {
      const { worker, database } = opened;
      await worker.call('call', ['park', 'waiting', 100]);
      const look = () => costs(server, opened, idleMs);
      const table = { 'no others': await look() };
      const ms = await worker.call('call', ['park', 'waiting', parked]);
      log(`${format(parked)} executions wait after ${format(ms / 1_000)} s`);
      const label = `${format(parked)} that wait`;
      table[label] = await look();
      const bytes = await sizeOf(database.client, parked);
      await worker.call('call', ['park', 'listening', listeners]);
      await delay(SETTLE_MS);
      await server.settle();
      const before = await countersOf(server, opened);
      const rung = await worker.call('call', ['ring', listeners]);
      const after = await countersOf(server, opened);
      const slowest = await server.slowest(database.name, DELIVERY);
      const wake = {
        'ms until all have ended': format(rung.ms),
        'executions/s': format((listeners / rung.ms) * 1_000),
        deliveries: format(slowest.calls),
        'slowest, ms': format(slowest.ms),
        'another workflow, ms': format(median(rung.beside)),
        p95: format(quantile(rung.beside, 0.95)),
        'server CPU ms': format(after.serverCpuMs - before.serverCpuMs),
      };
      const grown = (opened.heaps[1] - opened.heaps[0]) / parked;
      return {
        tables: [shown(table), { [`wakes ${format(listeners)}`]: wake }],
        notes: [
          `${grown < BYTES_EACH ? 'the process keeps nothing of them' : 'THE PROCESS KEEPS SOMETHING'}: ` +
            `${format(grown)} bytes of heap for each`,
          `${format(bytes)} bytes of tables and indexes for each`,
        ],
        heapBytesEach: grown,
        tableBytesEach: bytes,
        wakeMs: rung.ms,
      };
    } finally {
      await opened.close();
    }
  },
};

async function open(server) {
  const [entry] = await entriesOf({ 'nestjs-cloacina': ['default'] });
  const database = await server.createDatabase();
  const worker = await ContenderProcess.start({
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape: { kind: 'waiting', tasks: [], handlerMs: 0 },
    alone: true,
  });
  const close = async () => {
    await worker.stop();
    await database.drop();
  };
  return { worker, database, close, heaps: [] };
}

async function countersOf(server, { worker, database }) {
  const { statements, serverCpuMs } = await server.counters(database.name);
  const { user, system } = await worker.call('usage');
  return { statements, serverCpuMs, clientCpuMs: (user + system) / 1_000, at: performance.now() };
}

/** Of a process that has nothing to do; then how long an execution beside takes. */
async function costs(server, opened, idleMs) {
  await delay(SETTLE_MS);
  await server.settle();
  const before = await countersOf(server, opened);
  await delay(idleMs);
  const after = await countersOf(server, opened);
  const heap = await opened.worker.call('heap');
  opened.heaps.push(heap.heapUsed);
  const times = [];
  for (let i = 0; i < RUNS; i++) {
    await delay(10);
    times.push((await opened.worker.call('timeOne')).completed);
  }
  const each = (name) => (after[name] - before[name]) / ((after.at - before.at) / 1_000);
  return {
    'statements/s': each('statements'),
    'server CPU %': each('serverCpuMs') / 10,
    'client CPU %': each('clientCpuMs') / 10,
    'heap MB': heap.heapUsed / 2 ** 20,
    'another workflow, ms': median(times),
    p95: quantile(times, 0.95),
  };
}

function shown(table) {
  return Object.fromEntries(
    Object.entries(table).map(([label, cells]) => [
      label,
      Object.fromEntries(Object.entries(cells).map(([name, value]) => [name, format(value)])),
    ]),
  );
}

async function sizeOf(client, count) {
  const { rows } = await client.query(
    `SELECT sum(pg_total_relation_size(oid))::float8 AS bytes FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'bench'::regnamespace`,
  );
  return rows[0].bytes / count;
}
