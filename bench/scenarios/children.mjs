import { entriesOf } from '../measure/contenders.mjs';
import { measureLatency } from '../measure/latency.mjs';
import { interleave } from '../measure/rounds.mjs';
import { family } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** A workflow that starts another one and waits for its result. pg-boss has no results to wait for, but jobs in order. */
const CONTENDERS = {
  'nestjs-cloacina': ['default'],
  'pg-boss': ['notify'],
  DBOS: ['fast'],
};

export const children = throughputOf({
  name: 'children',
  title: 'A parent that waits for its child',
  shape: family(),
  contenders: CONTENDERS,
});

export const childrenLatency = {
  name: 'children-latency',
  title: 'A parent that waits for its child, when idle: from the call to the recorded end',
  unit: 'ms',
  higherIsBetter: false,
  main: 'completed',
  columns: [
    ['completedP95', 'p95'],
    ['seen', 'result with the caller'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({ 'nestjs-cloacina': ['default'], DBOS: ['fast'] });
    const shape = family();
    const measure = (entry) =>
      measureLatency({ server, entry, shape, runs: quick ? 50 : 200, seconds: 5 });
    return { rows: await interleave({ entries, rounds, main: 'completed', measure, log }) };
  },
};
