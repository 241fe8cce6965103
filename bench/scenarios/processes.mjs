import { entriesOf } from '../measure/contenders.mjs';
import { interleave } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';
import { measureThroughput } from '../measure/throughput.mjs';

const PROCESSES = [1, 2, 4];
const CONTENDERS = {
  'nestjs-cloacina': ['default'],
  'graphile-worker': ['fast'],
  'pg-boss': ['batches'],
  DBOS: ['fast'],
  OpenWorkflow: ['fast'],
};

/** Each process starts its share of the executions, and all of them work. */
export const processes = {
  name: 'processes',
  title: 'One task at 1, 2 and 4 processes',
  unit: 'executions/s',
  higherIsBetter: true,
  main: 'perSecond',
  async run({ server, rounds, quick, log }) {
    const entries = (await entriesOf(CONTENDERS)).flatMap((entry) =>
      PROCESSES.map((count) => ({ ...entry, count, label: `${entry.label}, ${count}` })),
    );
    const measure = (entry) =>
      measureThroughput({
        server,
        entry,
        shape: chain(1),
        seconds: quick ? 1 : 2,
        processes: entry.count,
      });
    return { rows: await interleave({ entries, rounds, main: 'perSecond', measure, log }) };
  },
};
