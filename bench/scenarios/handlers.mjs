import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** What counts here is how many handlers run at a time, which is what the configurations differ in. */
export const handlers = throughputOf({
  name: 'handlers',
  title: 'One task whose handler takes 5 ms',
  shape: chain(1, { handlerMs: 5 }),
  contenders: {
    'nestjs-cloacina': ['default', 'tuned'],
    'graphile-worker': ['fast'],
    'pg-boss': ['batches'],
    DBOS: ['fast'],
    OpenWorkflow: ['fast'],
  },
});
