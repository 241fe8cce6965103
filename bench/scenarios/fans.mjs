import { fan } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

const CONTENDERS = {
  'nestjs-cloacina': ['default', 'tuned'],
  'pg-boss': ['batches'],
  DBOS: ['fast'],
  OpenWorkflow: ['fast'],
};

export const fanOfFive = throughputOf({
  name: 'fan-5',
  title: 'Fan-out and fan-in of 5: setup, 3 side by side, merge',
  shape: fan(3),
  contenders: CONTENDERS,
});

export const fanOfThousand = throughputOf({
  name: 'fan-1000',
  title: 'Fan-out of 1,000: setup, 1,000 side by side, merge',
  shape: fan(1_000),
  contenders: { ...CONTENDERS, 'nestjs-cloacina': ['default', 'tuned', 'map'] },
});
