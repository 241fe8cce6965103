import { entriesOf } from '../measure/contenders.mjs';
import { measureLatency } from '../measure/latency.mjs';
import { interleave } from '../measure/rounds.mjs';
import { chain } from '../measure/shape.mjs';

const CONTENDERS = {
  'nestjs-cloacina': ['default', 'tuned'],
  'graphile-worker': ['default', 'fast'],
  'pg-boss': ['notify', 'batches'],
  DBOS: ['default', 'fast', 'queue'],
  OpenWorkflow: ['default', 'fast'],
  Restate: ['default'],
};

/** Of each the configuration that is quickest with one task. */
const QUICKEST = {
  'nestjs-cloacina': ['default'],
  'graphile-worker': ['default', 'fast'],
  'pg-boss': ['batches'],
  DBOS: ['default'],
  OpenWorkflow: ['default'],
  Restate: ['default'],
};

export const latency = latencyOf(
  'latency',
  'One task when idle: from the call to the recorded end',
  1,
  CONTENDERS,
);
export const latencyOfThree = latencyOf(
  'latency-chain',
  'Chain of 3 when idle: from the call to the recorded end',
  3,
  QUICKEST,
);

function latencyOf(name, title, length, contenders) {
  const shape = chain(length);
  return {
    name,
    title,
    unit: 'ms',
    higherIsBetter: false,
    main: 'completed',
    columns: [
      ['completedP95', 'p95'],
      ['accepted', 'start accepted'],
      ['seen', 'result with the caller'],
      ['seenP95', 'its p95'],
    ],
    async run({ server, rounds, quick, log }) {
      const entries = await entriesOf(contenders);
      const measure = (entry) =>
        measureLatency({ server, entry, shape, runs: quick ? 50 : 200, seconds: 5 });
      return { rows: await interleave({ entries, rounds, main: 'completed', measure, log }) };
    },
  };
}
