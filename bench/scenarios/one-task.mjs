import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

export const oneTask = throughputOf({
  name: 'one-task',
  title: 'One task',
  shape: chain(1),
  contenders: {
    'nestjs-cloacina': ['default', 'tuned'],
    'graphile-worker': ['fast', 'default'],
    'pg-boss': ['batches', 'notify', 'default'],
    DBOS: ['fast', 'default', 'queue'],
    OpenWorkflow: ['fast', 'default'],
    Restate: ['fast', 'default'],
  },
  drain: 30_000,
});
