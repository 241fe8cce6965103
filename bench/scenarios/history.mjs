import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { format } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';
import { median, quantile } from '../statistics.mjs';

const READS = 200;

/** What a million ended executions in the tables change: throughput, reads, sizes; and what an ANALYZE at rest does. */
export const history = {
  name: 'history',
  title: 'With 1,000,000 ended executions in the tables, against empty ones',
  async run({ server, rounds, quick, log }) {
    const executions = quick ? 50_000 : 1_000_000;
    const some = quick ? 10_000 : 40_000;
    const full = await open(server);
    try {
      await full.rate(executions);
      log(`${format(executions)} executions have ended`);
      const bloat = await bloatOf(full.database.client);
      const before = await inTurns(server, full, rounds, some);
      await full.database.client.query('ANALYZE');
      const analyzed = await inTurns(server, full, rounds, some);
      const rates = {
        'executions/s with a history': format(before.full),
        'with empty tables': format(before.empty),
        ratio: format(before.ratio),
        'ratio after ANALYZE': format(analyzed.ratio),
      };
      const reads = await full.worker.call('call', ['timeReads', READS]);
      const readTable = Object.fromEntries(
        Object.entries(reads).map(([what, times]) => [
          what,
          { 'median ms': format(median(times)), 'p95 ms': format(quantile(times, 0.95)) },
        ]),
      );
      return { tables: [{ throughput: rates }, readTable, bloat], ratio: before.ratio };
    } finally {
      await full.close();
    }
  },
};

/** Of a process each, one after the other in each round; the empty tables are new ones every time. */
async function inTurns(server, full, rounds, count) {
  const values = { full: [], empty: [] };
  for (let round = 0; round < rounds; round++) {
    const empty = await open(server);
    try {
      await empty.rate(count);
      const turns = [
        ['full', full],
        ['empty', empty],
      ];
      if (round % 2 === 1) turns.reverse();
      for (const [name, side] of turns) {
        await server.settle();
        values[name].push(await side.rate(count));
      }
    } finally {
      await empty.close();
    }
  }
  const ratio = median(values.full.map((value, round) => value / values.empty[round]));
  return { full: median(values.full), empty: median(values.empty), ratio };
}

async function open(server) {
  const [entry] = await entriesOf({ 'nestjs-cloacina': ['default'] });
  const database = await server.createDatabase();
  const worker = await ContenderProcess.start({
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape: chain(1),
  });
  return {
    database,
    worker,
    rate: async (count) => {
      const began = performance.now();
      await worker.call('start', count);
      return (count / (performance.now() - began)) * 1_000;
    },
    close: async () => {
      await worker.stop();
      await database.drop();
    },
  };
}

/** The unused parts of tables and indexes: dead rows and empty space. */
async function bloatOf(client) {
  await client.query('CREATE EXTENSION IF NOT EXISTS pgstattuple');
  const { rows } = await client.query(
    `SELECT c.relname, c.relkind, c.oid, pg_relation_size(c.oid)::float8 AS bytes
       FROM pg_class c
      WHERE c.relnamespace = 'bench'::regnamespace AND c.relkind IN ('r', 'i') AND pg_relation_size(c.oid) > 1000000
      ORDER BY c.relkind DESC, bytes DESC`,
  );
  const table = {};
  for (const { relname, relkind, oid, bytes } of rows) {
    const dead =
      relkind === 'r'
        ? 'SELECT dead_tuple_percent AS dead, free_percent AS free FROM pgstattuple($1::oid::regclass)'
        : 'SELECT NULL AS dead, 100 - avg_leaf_density AS free FROM pgstatindex($1::oid::regclass)';
    const [share] = (await client.query(dead, [oid])).rows;
    table[relname] = {
      MB: format(bytes / 2 ** 20),
      'dead %': share.dead === null ? '' : format(share.dead),
      'free %': format(share.free),
    };
  }
  return table;
}
