import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestChild } from '../support/child-process.js';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
let server: FaultyServer;
let workload: Workload;
beforeEach(async () => {
  server = await FaultyServer.start();
  await server.addStandby();
}, 120_000);
afterEach(async () => {
  await server.close();
  workload.remove();
});

/** Since how long each process has its lock, on the server that they are led to now. */
async function locksHeldForMs(): Promise<number[]> {
  const rows = await server.query<{ ms: number }>(
    `SELECT extract(epoch FROM clock_timestamp() - a.backend_start)::float8 * 1000 AS ms
     FROM pg_stat_activity a JOIN pg_locks k USING (pid)
     WHERE k.locktype = 'advisory' AND k.classid = 1129072451 AND k.granted`,
  );
  return rows.map(({ ms }) => ms);
}

const FAULTS: [string, (two: TestChild) => Promise<void>][] = [
  [
    'at once',
    async () => {
      await server.failOver();
      await server.promote();
    },
  ],
  [
    'after clients have met it as a standby for a while',
    async () => {
      await server.failOver();
      // Long enough for everything that is tried again to have been tried a few times.
      await delay(4_000);
      await server.promote();
    },
  ],
  [
    'and one process takes its time to follow',
    async (two) => {
      two.signal('SIGSTOP');
      await server.failOver();
      await server.promote();
      // The other one has followed for longer than it takes to look twice.
      await waitFor(async () => (await locksHeldForMs()).some((ms) => ms > 2_000), {
        deadline: 30_000,
        every: 50,
      });
      two.signal('SIGCONT');
    },
  ],
];

test.each(FAULTS)(
  'No handler runs a second time when a standby is promoted %s',
  async (_, inject) => {
    workload = new Workload({
      url: server.url,
      directUrl: () => server.directUrl,
      schema: 'promoted',
      seed,
      // Handlers that outlast the promotion and the grace for a new life of the server.
      handlerMs: 12_000,
      leaseDurationMs: 60_000,
      plans: [
        {
          name: 'flow0',
          tasks: ['t0', 't1', 't2'].map((name) => ({ name, dependsOn: [], kind: 'plain' })),
        },
        {
          name: 'flow1',
          tasks: [
            { name: 't0', dependsOn: [], kind: 'plain' },
            { name: 't1', dependsOn: ['t0'], kind: 'plain' },
          ],
        },
      ],
    });
    const [one, two] = [await workload.worker(), await workload.worker()];
    await workload.started(one, 3);
    await workload.started(two, 3);
    await workload.begun(24);
    await inject(two);
    await waitFor(async () => (await locksHeldForMs()).length === 2, {
      deadline: 30_000,
      what: 'both locks',
      every: 50,
    });
    // What begins under the new server is recorded as what began before.
    await workload.started(one, 1);
    expect(await workload.settle(90_000)).toBe(14);
    const begun = workload.entries().filter(({ what }) => what === 'begun');
    expect(begun).toHaveLength(6 * 5 + 5);
    expect(await workload.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
    expect(await workload.violations()).toEqual([]);
    expect(server.injectedInAll).toBe(2);
  },
  240_000,
);
