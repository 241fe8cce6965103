import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** Callers that wait for results, beside starts whose results nothing waits for. Queues have no results to wait for. */
export const execute = throughputOf({
  name: 'execute',
  title: 'Calls that wait for the result',
  shape: chain(1),
  contenders: {
    'nestjs-cloacina': ['execute', 'default'],
    DBOS: ['fast', 'default'],
  },
});
