import { startWorker } from '../measure/forked-worker.mjs';
import { format } from '../measure/rounds.mjs';
import { median, quantile } from '../statistics.mjs';

const WORKER = new URL('../testkit-worker.mjs', import.meta.url);
/** The first runs, in which V8 compiles, are shown apart. */
const COLD = 1;
const PARTS = ['boot', 'test', 'close'];

/** What a test with the test kit takes, on each store. */
export const testkit = {
  name: 'testkit',
  title: 'A test of 14 days with a schedule, retries and a crash, on each store of the test kit',
  async run({ server, quick }) {
    const table = {};
    const medians = {};
    for (const store of ['memory', 'postgres']) {
      const samples = await measure(server, store, quick ? 10 : 100);
      const warm = samples.slice(COLD);
      const of = (part) => warm.map((sample) => sample[part]);
      medians[store] = median(of('all'));
      table[store] = {
        'first, ms': format(samples[0].all),
        'median, ms': format(medians[store]),
        'p95, ms': format(quantile(of('all'), 0.95)),
        'CPU, ms': format(median(of('cpu'))),
        ...Object.fromEntries(PARTS.map((part) => [`${part}, ms`, format(median(of(part)))])),
      };
    }
    return { tables: [table], memoryMs: medians.memory, postgresMs: medians.postgres };
  },
};

async function measure(server, store, runs) {
  const database = await server.createDatabase();
  try {
    const worker = await startWorker(WORKER, {
      DATABASE_URL: database.url,
      STORE: store,
      RUNS: String(runs + COLD),
    });
    const { samples } = await worker.next('samples');
    await worker.stop();
    return samples;
  } finally {
    await database.drop();
  }
}
