import { entriesOf } from '../measure/contenders.mjs';
import { ContenderProcess } from '../measure/process.mjs';
import { format } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';

const LOOKS = 4;
/** Of the heap, over three quarters of the executions: what a leak of 50 bytes an execution would exceed. */
const GROWTH_MB = 5;

export const memory = {
  name: 'memory',
  title: 'Memory over 200,000 executions, after a collection each time',
  async run({ server, quick }) {
    const executions = quick ? 20_000 : 200_000;
    const [entry] = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const database = await server.createDatabase();
    const worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape: chain(1),
    });
    try {
      const table = {};
      const heaps = [];
      for (let look = 1; look <= LOOKS; look++) {
        await worker.call('start', executions / LOOKS);
        const { heapUsed, external, rss } = await worker.call('heap');
        heaps.push(heapUsed / 2 ** 20);
        table[`${format((executions / LOOKS) * look)} executions`] = {
          'heap MB': format(heapUsed / 2 ** 20),
          'external MB': format(external / 2 ** 20),
          'RSS MB': format(rss / 2 ** 20),
        };
      }
      const grown = heaps.at(-1) - heaps[0];
      const verdict = grown < GROWTH_MB ? 'no growth' : 'IT GROWS';
      return { tables: [table], notes: [`${verdict}: ${format(grown)} MB`], heapGrowthMB: grown };
    } finally {
      await worker.stop();
      await database.drop();
    }
  },
};
