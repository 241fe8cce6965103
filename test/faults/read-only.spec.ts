import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
const LEASE_MS = 6_000;
let server: FaultyServer;
let workload: Workload | undefined;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterEach(async () => {
  await server.configure('default_transaction_read_only', 'off');
  workload?.remove();
});
afterAll(() => server.close());

async function writable(is: boolean): Promise<void> {
  server.count(is ? 'writable' : 'read-only');
  await server.configure('default_transaction_read_only', is ? 'off' : 'on');
}

/** When each lease is over, by the database's clock. */
async function leases(): Promise<{ name: string; overForMs: number }[]> {
  return workload!.query(
    `SELECT name, (extract(epoch FROM clock_timestamp() - expires_at) * 1000)::float8 AS "overForMs"
     FROM cloacina_runner_lease`,
  );
}

test('No handler runs a second time while no lease can be renewed, and what waited goes on', async () => {
  workload = new Workload({
    url: server.url,
    directUrl: () => server.directUrl,
    schema: 'read_only',
    seed,
    // Some handlers end while nothing can be recorded, and some of what they are for begins after that.
    handlerMs: 4_000,
    leaseDurationMs: LEASE_MS,
    plans: [
      {
        name: 'flow0',
        tasks: [
          { name: 't0', dependsOn: [], kind: 'plain' },
          { name: 't1', dependsOn: ['t0'], kind: 'plain' },
        ],
      },
    ],
  });
  const [one, two] = [await workload.worker(), await workload.worker()];
  await workload.started(one, 5);
  await workload.started(two, 5);
  await workload.begun(10);
  await writable(false);
  // Accepted when the database takes it.
  workload.start(two, 5);
  // Over for longer than it takes the other one to look, were it to look for that alone.
  await waitFor(
    async () => {
      const all = await leases();
      return all.length === 2 && all.every(({ overForMs }) => overForMs > LEASE_MS / 3);
    },
    { deadline: 60_000, what: 'the end of the leases', every: 100 },
  );
  expect(workload.accepted().size).toBe(10);
  await writable(true);
  await waitFor(() => workload!.accepted().size === 15, { deadline: 30_000, what: 'the starts' });
  expect(await workload.settle(60_000)).toBe(15);
  expect(await workload.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
  expect(workload.entries().filter(({ what }) => what === 'begun')).toHaveLength(30);
  expect(await workload.violations()).toEqual([]);
}, 180_000);

test('Every kind of task goes on after the database took no writes now and then', async () => {
  workload = new Workload({
    url: server.url,
    directUrl: () => server.directUrl,
    schema: 'read_only_now_and_then',
    seed,
    workflows: 6,
    handlerMs: 30,
    leaseDurationMs: LEASE_MS,
  });
  const workers = [await workload.worker(), await workload.worker()];
  for (let round = 0; round < 4; round++) {
    for (const worker of workers) workload.start(worker, 3);
    const known = workload.entries().length;
    await waitFor(() => workload!.entries().length > known + 5, { what: 'some handlers' });
    await writable(false);
    const [row] = await workload.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    // Statements under way may still be committed; then nothing is.
    await waitFor(
      async () => {
        const [last] = await workload!.query<{ quiet: boolean }>(
          `SELECT clock_timestamp() > $1::timestamptz + interval '1 s' AS quiet`,
          [row?.now],
        );
        return last?.quiet;
      },
      { what: 'a second without writes' },
    );
    await writable(true);
  }
  await Promise.all(workers.map((worker) => workload!.started(worker, 1)));
  expect(await workload.settle(90_000)).toBeGreaterThanOrEqual(6 * 2);
  expect(workload.accepted().size).toBe(6 * (4 * 2 * 3 + 2));
  expect(await workload.violations()).toEqual([]);
}, 240_000);
