import { chain } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

const TENANTS = 100;

/** Peers have an instance a tenant, all in one process and on one pool. DBOS has one instance a process. */
export const manyTenants = throughputOf({
  name: 'many-tenants',
  title: `One task, ${TENANTS} tenants at once in one process, a schema each`,
  shape: chain(1),
  schemas: Array.from({ length: TENANTS }, (_, no) => `tenant_${no}`),
  contenders: {
    'nestjs-cloacina': ['default'],
    'graphile-worker': ['fast', 'default'],
    'pg-boss': ['batches'],
  },
  seconds: 5,
  // As long as a whole run: in one second each tenant would have only some hundred jobs, while the peers insert by the
  // thousand. How much a shorter run changes their rates has not been measured.
  quickSeconds: 5,
});
