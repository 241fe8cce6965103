import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
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

/** The backends that hold the locks of the processes. */
async function holders(): Promise<number[]> {
  const rows = await server.query<{ pid: number }>(
    `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1129072451 AND granted`,
  );
  return rows.map(({ pid }) => pid);
}

test('Connections that go silent for ever are replaced, and no handler runs a second time', async () => {
  workload = new Workload({
    url: server.url,
    directUrl: () => server.directUrl,
    schema: 'silent',
    seed,
    handlerMs: 3_000,
    leaseDurationMs: 20_000,
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
  workload.start(one, 5);
  workload.start(two, 5);
  await workload.begun(10);
  const before = await holders();
  expect(before).toHaveLength(2);
  server.silence();
  // The old sessions have their locks still, as far as the server knows.
  await waitFor(
    async () => {
      const now = await holders();
      return now.length === 2 && !now.some((pid) => before.includes(pid));
    },
    { deadline: 18_000, what: 'new sessions', every: 100 },
  );
  workload.start(one, 1);
  expect(await workload.settle(90_000)).toBe(11);
  expect(workload.entries().filter(({ what }) => what === 'begun')).toHaveLength(22);
  expect(await workload.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
  expect(await workload.violations()).toEqual([]);
}, 180_000);

test('Transactional tasks whose connections go silent for ever are done on others, and write once', async () => {
  workload = new Workload({
    url: server.url,
    directUrl: () => server.directUrl,
    schema: 'silent_transactions',
    seed,
    handlerMs: 2_000,
    poolSize: 12,
    leaseDurationMs: 60_000,
    plans: [
      {
        name: 'flow0',
        tasks: [
          // A handler's own statement has as much time as the handler.
          { name: 't0', dependsOn: [], kind: 'transactional', timeoutMs: 20_000 },
          { name: 't1', dependsOn: ['t0'], kind: 'transactional', timeoutMs: 20_000 },
        ],
      },
    ],
  });
  const workers = [await workload.worker(), await workload.worker()];
  for (const worker of workers) await workload.started(worker, 4);
  await workload.begun(8);
  server.silence();
  expect(await workload.settle(150_000)).toBe(8);
  // A lease whose end was swallowed runs out by itself; nothing is claimed under it.
  const violations = await workload.violations();
  expect(violations.filter((violation) => !/^\d leases left$/.test(violation))).toEqual([]);
}, 240_000);
