import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { COMPLETE_NAMES, STATEMENTS } from './workload/failpoints.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const ROUNDS = SHORT ? 2 : 6;
const FAULTS_A_ROUND = SHORT ? 6 : 20;
const WORKERS = 2;
const LEASE_MS = 4_000;

const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterAll(() => server.close());

type Fault = (workload: Workload, random: () => number) => Promise<void>;

function someone(workload: Workload, random: () => number) {
  return pick(
    random,
    workload.workers.filter((child) => child.running),
  );
}

/** Each leaves so many workers behind as there were. */
const FAULTS: Record<string, Fault> = {
  async kill(workload, random) {
    server.count('SIGKILL');
    await someone(workload, random).kill();
    await workload.worker();
  },
  async terminate(workload, random) {
    server.count('SIGTERM');
    await someone(workload, random).kill('SIGTERM');
    await workload.worker();
  },
  async hang(workload, random) {
    server.count('SIGSTOP');
    const child = someone(workload, random);
    child.signal('SIGSTOP');
    // Longer than a lease, or not: that is the fault.
    await delay(random() < 0.5 ? 500 : LEASE_MS * 1.7);
    child.signal('SIGCONT');
  },
  async someBackends(_, random) {
    await server.terminate(0.4, random);
  },
  async allBackends(_, random) {
    await server.terminate(1.1, random);
  },
  async controlConnections() {
    await server.terminateControl();
  },
  async readOnly() {
    server.count('read-only');
    await server.configure('default_transaction_read_only', 'on');
    await delay(1_500);
    await server.configure('default_transaction_read_only', 'off');
  },
  restartFast: (_, random) => server.restart('fast', random() * 800),
  restartImmediate: (_, random) => server.restart('immediate', random() * 800),
  crash: () => server.crash(),
  cut: () => Promise.resolve(server.cut()),
  async swallow() {
    server.swallow();
    await delay(2_500);
    server.deliver();
  },
  async slow() {
    server.delay(60);
    await delay(1_500);
    server.delay(0);
  },
  async lose(_, random) {
    const { start, claim, complete, reschedule, commit } = STATEMENTS;
    const statements = [
      [start, 'start_executions'],
      [claim, 'claim_tasks'],
      [complete, ...COMPLETE_NAMES],
      [reschedule, 'reschedule_tasks'],
      [commit],
    ];
    const texts = pick(random, statements);
    if (random() < 0.7) server.loseAnswers(texts, 2);
    else server.loseRequests(texts, 2);
    await delay(500);
  },
};

/** Where one of each would take too long, those that say most. */
const NAMES = Object.keys(FAULTS);

for (let round = 0; round < ROUNDS; round++) {
  test(`Round ${round}: random faults under load lose and double nothing`, async () => {
    const random = randomFrom(seed + round);
    const workload = new Workload({
      url: server.url,
      directUrl: () => server.directUrl,
      schema: `storm_${round}`,
      seed: seed + round,
      workflows: 6,
      handlerMs: 30,
      leaseDurationMs: LEASE_MS,
    });
    const log: string[] = [];
    try {
      for (let i = 0; i < WORKERS; i++) await workload.worker();
      const before = server.injectedInAll;
      for (let i = 0; i < FAULTS_A_ROUND; i++) {
        workload.start(someone(workload, random), 1 + Math.floor(random() * 4));
        await delay(100 + random() * 300);
        const name = pick(random, NAMES);
        log.push(name);
        await FAULTS[name]?.(workload, random);
      }
      // Somebody starts the last ones with no fault about, so that a run of nothing but failed starts can't pass.
      workload.start(someone(workload, random), 2);
      const ended = await workload.settle(90_000);
      const injected = server.injectedInAll - before;
      expect(injected).toBeGreaterThanOrEqual(FAULTS_A_ROUND / 2);
      expect(ended).toBeGreaterThan(0);
      expect(workload.accepted().size).toBeGreaterThan(0);
      expect(await workload.violations()).toEqual([]);
      process.stdout.write(`round ${round}: ${ended} executions, ${injected} faults\n`);
    } catch (error) {
      const told = workload.workers.map(({ output }) => output).join('\n');
      throw new Error(
        `FAULTS_SEED=${seed + round} -t 'Round 0' replays it. Faults: ${log.join(', ')}\n${told}`,
        {
          cause: error,
        },
      );
    } finally {
      await Promise.all(workload.workers.filter(({ running }) => running).map((c) => c.kill()));
      workload.remove();
    }
  }, 300_000);
}

test('No connection and no lock is left of all those processes', async () => {
  process.stdout.write(`${JSON.stringify(Object.fromEntries(server.injected))}\n`);
  // The server takes a moment to notice that the last of them was killed.
  const left = `SELECT a.application_name FROM pg_stat_activity a WHERE a.application_name LIKE 'cloacina:%'
     UNION ALL SELECT k.locktype FROM pg_locks k WHERE k.locktype = 'advisory'`;
  await waitFor(async () => (await server.query(left)).length === 0, {
    what: 'the end of connections and locks',
  });
});
