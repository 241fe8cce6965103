import { entriesOf } from '../measure/contenders.mjs';
import { measureLatency } from '../measure/latency.mjs';
import { interleave } from '../measure/rounds.mjs';
import { steps } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** Functions whose steps are recorded one by one, so that none runs again after a crash. Queues have no such steps. */
export const tenSteps = throughputOf({
  name: 'steps',
  title: 'A task of 10 steps',
  shape: steps(10),
  contenders: {
    'nestjs-cloacina': ['default', 'tuned'],
    DBOS: ['default', 'fast'],
    OpenWorkflow: ['default', 'fast'],
  },
});

export const tenStepsLatency = {
  name: 'steps-latency',
  title: 'A task of 10 steps when idle: from the call to the recorded end',
  unit: 'ms',
  higherIsBetter: false,
  main: 'completed',
  columns: [
    ['completedP95', 'p95'],
    ['seen', 'result with the caller'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina': ['default'],
      DBOS: ['default'],
      OpenWorkflow: ['default'],
    });
    const shape = steps(10);
    const measure = (entry) =>
      measureLatency({ server, entry, shape, runs: quick ? 50 : 200, seconds: 5 });
    return { rows: await interleave({ entries, rounds, main: 'completed', measure, log }) };
  },
};
