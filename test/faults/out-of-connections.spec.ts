import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { BOUND_MS, chainOf, report, Scene } from './workload/scene.js';

const MAX_CONNECTIONS = 30;
const PUSHERS = 8;
const TAKEN_MS = process.env['FAULTS'] === 'short' ? 4_000 : 8_000;

const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start({ maxConnections: MAX_CONNECTIONS });
}, 60_000);
afterAll(async () => {
  report('injected', Object.fromEntries(server.injected));
  await server.close();
});

const PLANS = [
  chainOf('plain', { name: 'first', maxAttempts: 1 }, { name: 'second', maxAttempts: 1 }),
  chainOf('again', { name: 'first', kind: 'flaky' }, { name: 'second', kind: 'deferring' }),
  chainOf(
    'transactional',
    { name: 'first', maxAttempts: 1, kind: 'transactional' },
    { name: 'second' },
  ),
];

/** Sessions of others that take each connection as it becomes free. */
class Crowd {
  private readonly clients = new Set<pg.Client>();
  private readonly loops: Promise<void>[];
  private leaving = false;
  refused = 0;

  constructor(private readonly url: string) {
    this.loops = Array.from({ length: PUSHERS }, () => this.push());
  }

  get size(): number {
    return this.clients.size;
  }

  async leave(): Promise<void> {
    this.leaving = true;
    await Promise.all(this.loops);
    await Promise.all([...this.clients].map((client) => client.end()));
  }

  private async push(): Promise<void> {
    while (!this.leaving) {
      const client = new pg.Client({ connectionString: this.url, application_name: 'the crowd' });
      client.on('error', () => this.clients.delete(client));
      try {
        await client.connect();
        this.clients.add(client);
      } catch {
        this.refused++;
        await delay(5);
      }
    }
  }
}

test.each([
  ['and the processes keep theirs', false],
  ['and the processes lose theirs', true],
])(
  'A server whose connections are all taken by others for some seconds, %s, loses and doubles nothing',
  async (what, loseTheirs) => {
    const scene = new Scene(server, {
      seed,
      plans: PLANS,
      handlerMs: 1_000,
      leaseDurationMs: 300_000,
      poolSize: 10,
    });
    await scene.play(async () => {
      const workers = [await scene.worker(), await scene.worker()];
      const admin = await server.admin();
      for (const worker of workers) await scene.started(worker, 3);
      await scene.begun(PLANS.length * 2);
      server.count('connections taken');
      const crowd = new Crowd(server.directUrl);
      let ended = 0;
      const end = async (): Promise<void> => {
        if (!loseTheirs) return;
        const { rows } = await admin.query<{ ended: boolean }>(
          `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
           WHERE application_name LIKE 'cloacina:%'`,
        );
        ended += rows.length;
      };
      await waitFor(() => end().then(() => crowd.refused > 0), {
        deadline: BOUND_MS,
        what: 'a server without a free connection',
        every: 100,
      });
      for (const worker of workers) scene.start(worker, 1);
      const until = performance.now() + TAKEN_MS;
      while (performance.now() < until) {
        await end();
        await delay(250);
      }
      const taken = crowd.size;
      await crowd.leave();
      await admin.end();
      // Nothing but what is there wakes it.
      await scene.settle(2 * BOUND_MS);
      for (const worker of workers) await scene.started(worker, 1);
      const executions = await scene.settle(BOUND_MS);
      const refused = scene.folder.refused();
      const crowdRefused = crowd.refused;
      const figures = { executions, taken, ended, refused: refused.length, crowdRefused };
      report(`out of connections, ${what}`, { ...figures, ...(await scene.exits()) });
      expect(taken).toBeGreaterThan(0);
      for (const { code } of refused) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
      expect(scene.accepted().size).toBeGreaterThanOrEqual(PLANS.length * 2 * 4);
      expect(await scene.violationsButOwn()).toEqual([]);
    });
  },
  240_000,
);
