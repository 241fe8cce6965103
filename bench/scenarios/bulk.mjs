import { entriesOf } from '../measure/contenders.mjs';
import { measureBulkCancel, measureBulkStarts } from '../measure/bulk.mjs';
import { interleave } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';

const STARTS = 100_000;
/** DBOS has no call that enqueues many workflows: what it does in some seconds says as much. */
const STARTS_ONE_BY_ONE = 10_000;
const CANCELS = 10_000;

/** Starts by the call that each has for many, in a process that does nothing else. */
export const bulk = {
  name: 'bulk',
  title: 'Starting 100,000 executions of one task by the call for many',
  unit: 'starts/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: [
    ['ms', 'ms for all'],
    ['usedMB', 'heap in use, MB more'],
    ['heapMB', 'with garbage'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina': ['default'],
      'pg-boss': ['batches'],
      'graphile-worker': ['fast'],
      DBOS: ['queue'],
    });
    const shape = chain(1);
    const measure = (entry) => {
      const count = entry.name === 'DBOS' ? STARTS_ONE_BY_ONE : STARTS;
      return measureBulkStarts({ server, entry, shape, count: quick ? count / 10 : count });
    };
    const rows = await interleave({ entries, rounds, main: 'perSecond', measure, log });
    const notes = [
      'nestjs-cloacina: startMany() with a generator, in place of start()',
      `DBOS enqueues one by one, and only ${STARTS_ONE_BY_ONE}`,
    ];
    return { rows, notes };
  },
};

/** The executions of ten callers beside it show what it does to the hot path. */
export const bulkCancel = {
  name: 'bulk-cancel',
  title: 'Cancelling 10,000 executions in the background, beside ten callers of execute()',
  unit: 'ms',
  higherIsBetter: false,
  main: 'ms',
  columns: [
    ['p50Before', 'p50 of execute() before'],
    ['p50During', 'during it'],
    ['p95Before', 'p95 before'],
    ['p95During', 'during it '],
    ['p95Ratio', 'p95 during it to before'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const shape = chain(1);
    const count = quick ? CANCELS / 5 : CANCELS;
    const measure = (entry) => measureBulkCancel({ server, entry, shape, count });
    return { rows: await interleave({ entries, rounds, main: 'ms', measure, log }) };
  },
};
