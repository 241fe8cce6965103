import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** One task that is given so much: the contender stores it, and hands it to the handler. */
export const contexts = [1, 10, 100].map((kilobytes) =>
  throughputOf({
    name: `context-${kilobytes}`,
    title: `One task with a context of ${kilobytes} KB`,
    shape: chain(1, { payloadBytes: kilobytes * 1_000 }),
    contenders: {
      'nestjs-cloacina': ['default'],
      'graphile-worker': ['fast'],
      'pg-boss': ['batches'],
      DBOS: ['fast'],
      OpenWorkflow: ['fast'],
    },
  }),
);
