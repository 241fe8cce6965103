import { entriesOf } from '../measure/contenders.mjs';
import { interleave } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';
import { measureBurst } from '../measure/throughput.mjs';

const PROCESSES = [1, 4, 16];
const COUNT = 8_000;
const QUICK_COUNT = 3_000;
const CONTENDERS = {
  'nestjs-cloacina': ['default'],
  'graphile-worker': ['fast'],
  'pg-boss': ['batches'],
  DBOS: ['queue'],
};

/**
 * A burst of executions, started all at once by one of the processes or by all of them. All processes work. They have
 * the same cores, so more of them can only be as fast as one.
 */
export const processes = {
  name: 'processes',
  title: 'One task at 1, 4 and 16 processes on the same cores',
  unit: 'executions/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: [
    ['claims', 'claims'],
    ['tasksPerClaim', 'tasks/claim'],
    ['connections', 'connections'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = (await entriesOf(CONTENDERS)).flatMap(settingsOf);
    const measure = (entry) =>
      measureBurst({
        server,
        entry,
        shape: chain(1),
        processes: entry.count,
        starters: entry.starters,
        count: quick ? QUICK_COUNT : COUNT,
      });
    return { rows: await interleave({ entries, rounds, main: 'perSecond', measure, log }) };
  },
};

function settingsOf(entry) {
  return PROCESSES.flatMap((count) => {
    const of = (starters, who) => ({
      ...entry,
      count,
      starters,
      label: `${entry.label}, ${count}${who}`,
    });
    return count === 1 ? [of(1, '')] : [of(1, ', one starts'), of(count, ', all start')];
  });
}
