import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { TestChild } from '../support/child-process.js';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
let server: FaultyServer;
let workload: Workload | undefined;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterEach(() => workload?.remove());
afterAll(() => server.close());

/** Both processes have come back: each holds its lock. */
async function untilBothHoldLocks(): Promise<void> {
  await waitFor(
    async () => {
      const rows = await server.query(
        `SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 1129072451 AND granted`,
      );
      return rows.length === 2;
    },
    { deadline: 20_000, what: 'both locks', every: 50 },
  );
}

const FAULTS: [string, (one: TestChild, two: TestChild) => Promise<void>][] = [
  ['the control connections are terminated', async () => void (await server.terminateControl())],
  ['all backends are terminated', async () => void (await server.terminate(1, () => 0))],
  ['the network is cut', async () => Promise.resolve(server.cut())],
  ['the server restarts, fast', () => server.restart('fast')],
  ['the server restarts, immediate', () => server.restart('immediate')],
  ['the server is away for three seconds', () => server.restart('fast', 3_000)],
  [
    'the server restarts and one process takes its time to come back',
    async (_, two) => {
      two.signal('SIGSTOP');
      await server.restart('immediate');
      // The other one has been back for longer than it takes to look twice.
      await waitFor(
        async () => {
          const rows = await server.query(
            `SELECT FROM pg_stat_activity a JOIN pg_locks k USING (pid) WHERE k.locktype = 'advisory'
               AND clock_timestamp() > a.backend_start + interval '2 s'`,
          );
          return rows.length > 0;
        },
        { deadline: 20_000, every: 50 },
      );
      two.signal('SIGCONT');
    },
  ],
  ['one backend is killed, and the server recovers from the crash', () => server.crash()],
];

test.each(FAULTS)('No handler runs a second time when %s', async (fault, inject) => {
  const schema = `restart_${FAULTS.findIndex(([name]) => name === fault)}`;
  // Handlers that outlast the fault and what follows it: the grace for a new life of the server as well.
  workload = new Workload({
    url: server.url,
    directUrl: () => server.directUrl,
    schema,
    seed,
    handlerMs: 7_000,
    leaseDurationMs: 30_000,
    plans: [
      { name: 'flow0', tasks: [{ name: 't0', dependsOn: [], kind: 'plain' }] },
      {
        name: 'flow1',
        tasks: ['t0', 't1', 't2'].map((name) => ({ name, dependsOn: [], kind: 'plain' })),
      },
    ],
  });
  const [one, two] = [await workload.worker(), await workload.worker()];
  workload.start(one, 3);
  workload.start(two, 3);
  await workload.begun(24);
  await inject(one, two);
  await untilBothHoldLocks();
  expect(await workload.settle(60_000)).toBe(12);
  const begun = workload.entries().filter(({ what }) => what === 'begun');
  expect(begun).toHaveLength(24);
  expect(await workload.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
  expect(await workload.violations()).toEqual([]);
});
