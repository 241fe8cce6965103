import { openLatency } from './latency.mjs';
import { chain, steps } from './shape.mjs';
import { openThroughput } from './throughput.mjs';

/** Length of one phase of work, in seconds, and number of executions of one phase of latency. */
const PHASE_SECONDS = 0.8;
const PHASE_RUNS = 40;
const TENANTS = Array.from({ length: 100 }, (_, no) => `tenant_${no}`);

const throughput = (title, length, more = {}) => ({
  title: `${title}, executions/s`,
  main: 'perSecond',
  configuration: 'default',
  shape: chain(length),
  ...more,
});
const latency = (title, length, more = {}) => ({
  title: `${title} when idle, ms from the call to the recorded end`,
  main: 'completed',
  configuration: 'default',
  shape: chain(length),
  ...more,
});

/** What can be measured in short phases, by name. */
export const PHASES = {
  'one-task': throughput('one task', 1),
  execute: throughput('one task whose result is awaited', 1, { configuration: 'execute' }),
  chain: throughput('chain of 3', 3),
  'many-tenants': throughput('one task, 100 tenants at once', 1, { schemas: TENANTS }),
  steps: throughput('a task of 10 steps', 10, { shape: steps(10) }),
  latency: latency('one task', 1),
  'latency-chain': latency('chain of 3', 3),
  'latency-steps': latency('a task of 10 steps', 10, { shape: steps(10) }),
};

/** Opens one build. Its phases are as long as those of the builds that are `opened` already. */
export async function openPhases({ server, entry, phase, opened }) {
  const { shape, schemas } = phase;
  if (phase.main === 'completed') {
    const { measure, close } = await openLatency({ server, entry, shape });
    return { measure: () => measure(PHASE_RUNS, Infinity), close };
  }
  const one = await openThroughput({ server, entry, shape, schemas });
  const [other] = Object.values(opened);
  const count = other?.count ?? Math.max(one.unit, Math.round(one.rate * PHASE_SECONDS));
  return { count, measure: () => one.measure(count), close: one.close };
}
