import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

export const chainOfThree = throughputOf({
  name: 'chain',
  title: 'Chain of 3',
  shape: chain(3),
  contenders: {
    'nestjs-cloacina': ['default', 'tuned'],
    'graphile-worker': ['fast', 'default'],
    'pg-boss': ['batches', 'batches, chained by hand', 'notify'],
    DBOS: ['fast', 'default', 'queue'],
    OpenWorkflow: ['fast', 'default'],
    Restate: ['fast', 'default'],
  },
});

export const chainOfTen = throughputOf({
  name: 'chain-10',
  title: 'Chain of 10',
  shape: chain(10),
  contenders: {
    'nestjs-cloacina': ['default', 'tuned'],
    'graphile-worker': ['fast'],
    'pg-boss': ['batches', 'batches, chained by hand'],
    DBOS: ['fast'],
    OpenWorkflow: ['fast'],
  },
});
