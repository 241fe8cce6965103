import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startChild, type TestChild } from '../support/child-process.js';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import type { PlannedTask } from './workload/plan.js';
import { seedOfRun } from './workload/random.js';
import { Workload, type WorkloadOptions } from './workload/workload.js';

const seed = seedOfRun();
const LEASE_MS = 3_000;

const isInstalled = spawnSync('pgbouncer', ['--version']).status === 0;
if (!isInstalled) {
  process.stdout.write('Skipped: the tests behind a pooler, since pgbouncer is not installed.\n');
}

let server: FaultyServer;
let pooler: TestChild | undefined;
let workload: Workload | undefined;
beforeAll(async () => {
  if (isInstalled) server = await FaultyServer.start();
}, 60_000);
afterEach(async () => {
  workload?.remove();
  await pooler?.kill('SIGTERM');
});
afterAll(async () => {
  if (isInstalled) await server.close();
});

async function openBehind(
  mode: 'transaction' | 'session',
  more: Partial<WorkloadOptions> = {},
): Promise<Workload> {
  const { port, password } = new URL(server.directUrl);
  pooler = startChild(new URL('server/runs-a-pooler.mjs', import.meta.url), {
    env: { POOLER: JSON.stringify({ serverPort: Number(port), password, mode }) },
  });
  const started = await pooler.message<{ kind: string; port: number }>(
    ({ kind }) => kind === 'started',
  );
  return (workload = new Workload({
    url: server.urlAt(started.port),
    directUrl: () => server.directUrl,
    schema: `pooled_${mode}_${Math.floor(performance.now())}`,
    seed,
    workflows: 6,
    handlerMs: 50,
    leaseDurationMs: LEASE_MS,
    ...more,
  }));
}

/** A process is killed in the midst of its work; another one is there. Returns why its tasks were taken. */
async function causesAfterKill(
  work: Workload,
  control: { controlUrl?: string },
): Promise<string[]> {
  const victim = await work.worker(control);
  const survivor = await work.worker(control);
  await work.started(survivor, 5);
  const known = work.entries().length;
  work.start(victim, 5);
  const ofVictim = (): boolean =>
    work
      .entries()
      .slice(known)
      .some(({ by, what }) => by === 'worker 1' && what === 'begun');
  await waitFor(ofVictim, { deadline: 60_000, what: 'work of the one to be killed' });
  server.count('SIGKILL');
  await victim.kill();
  await work.started(survivor, 2);
  expect(await work.settle(90_000)).toBeGreaterThanOrEqual(6 * 7);
  const events = await work.query<{ cause: string; ms: string }>(
    'SELECT cause, max(orphaned_for_ms) AS ms FROM cloacina_recovery_event GROUP BY cause',
  );
  process.stdout.write(`taken after: ${JSON.stringify(events)}\n`);
  expect(await work.violations()).toEqual([]);
  return events.map(({ cause }) => cause);
}

(isInstalled ? describe : describe.skip)('Behind a pooler', () => {
  test('in transaction mode, leases alone find a lost process, and the log says so', async () => {
    const work = await openBehind('transaction');
    expect(await causesAfterKill(work, {})).toEqual(['leaseOver']);
    for (const { output } of work.workers) expect(output).toContain('a pooler in transaction mode');
    const locks = `SELECT FROM pg_locks WHERE locktype = 'advisory'`;
    expect(await server.query(locks)).toEqual([]);
  }, 240_000);

  test('in transaction mode, a direct control connection finds it at once', async () => {
    const work = await openBehind('transaction');
    expect(await causesAfterKill(work, { controlUrl: server.directUrl })).toEqual(['lockGone']);
  }, 240_000);

  // Those that are sent often are prepared, elsewhere.
  test('in transaction mode, statements that are sent often are sent in full', async () => {
    const tasks = ['t0', 't1', 't2'].map((name, no): PlannedTask => {
      return { name, dependsOn: no === 0 ? [] : [`t${no - 1}`], kind: 'plain' };
    });
    const plans = [{ name: 'flow0', tasks }];
    const work = await openBehind('transaction', { plans, handlerMs: 1, leaseDurationMs: 60_000 });
    const workers = [await work.worker(), await work.worker()];
    const count = 120;
    await Promise.all(
      workers.map(async (worker) => {
        for (let i = 0; i < count; i++) await work.started(worker, 1);
      }),
    );
    expect(await work.settle(60_000)).toBe(2 * count);
    expect(work.entries().filter(({ what }) => what === 'begun')).toHaveLength(2 * count * 3);
    expect(await work.violations()).toEqual([]);
  }, 240_000);

  test('in session mode, the control connection is a session', async () => {
    const work = await openBehind('session');
    expect(await causesAfterKill(work, {})).toEqual(['lockGone']);
    for (const { output } of work.workers) expect(output).not.toContain('a pooler');
  }, 240_000);
});
