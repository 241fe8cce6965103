import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { freshSchema } from '../support/postgres.js';
import type { Control } from './programs/controls.js';
import { waitFor } from '../support/wait-for.js';
import { ProgramRun } from './programs/program-run.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const ROUNDS = SHORT ? 1 : 4;
const FAULTS_A_ROUND = SHORT ? 8 : 30;
const WORKERS = 3;
const LEASE_MS = 3_000;

const seed = seedOfRun();
let run: ProgramRun | undefined;
afterEach(() => run?.close());

type Fault = (run: ProgramRun, random: () => number) => Promise<void>;

/** Each leaves as many processes behind as there were. */
const FAULTS: Record<string, Fault> = {
  async kill({ processes }, random) {
    await pick(random, processes.living).kill();
    await processes.start();
  },
  async killTwo({ processes }) {
    await Promise.all(processes.living.slice(0, 2).map((child) => child.kill()));
    await Promise.all([processes.start(), processes.start()]);
  },
  async hang({ processes }, random) {
    await processes.hang(pick(random, processes.living), LEASE_MS * 1.7);
  },
  async terminateBackends({ read }) {
    await read(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'cloacina:%' AND random() < 0.4`);
  },
};
const CLAIMED = 'SELECT FROM cloacina_task_execution WHERE owner IS NOT NULL';
const NAMES = ['kill', 'kill', 'kill', 'killTwo', 'terminateBackends', ...(SHORT ? [] : ['hang'])];

for (let round = 0; round < ROUNDS; round++) {
  test(`Round ${round}: random programs come to what the reference says, whatever is killed`, async () => {
    const own = seed + round;
    const random = randomFrom(own);
    run = await ProgramRun.open({ schema: freshSchema(), seed: own, leaseDurationMs: LEASE_MS });
    const { processes, world } = run;
    try {
      for (let i = 0; i < WORKERS; i++) await processes.start();
      for (let i = 0; i < FAULTS_A_ROUND; i++) {
        world.start(1 + Math.floor(random() * 8));
        await delay(100 + random() * 500);
        const name = pick(random, NAMES);
        world.count(name);
        await FAULTS[name]?.(run, random);
        expect(await run.stuck()).toEqual([]);
      }
      const ended = await run.settle(60_000);
      expect(await run.violations()).toEqual([]);
      const counts = JSON.stringify(Object.fromEntries(world.counts));
      process.stdout.write(`round ${round}: ${ended} executions; ${counts}\n`);
    } catch (error) {
      const replay = `FAULTS_SEED=${own} -t 'Round 0' runs the same programs.`;
      throw new Error(`${replay} ${String(error)}\n${processes.told()}`, { cause: error });
    }
  }, 400_000);
}

const withoutOne = (control: Control): Promise<ProgramRun> =>
  ProgramRun.open({
    schema: freshSchema(),
    seed: seed + 100,
    leaseDurationMs: LEASE_MS,
    without: control,
    cancels: 0,
    pauses: 0,
  });

test.each(['counter', 'order'] as const)(
  'Without the %s, tasks wait for ever for what has happened',
  async (control) => {
    run = await withoutOne(control);
    const { processes, world } = run;
    for (let i = 0; i < WORKERS; i++) await processes.start();
    const stuck = await waitFor(
      async () => {
        world.start(4);
        const [first] = (await run?.stuck()) ?? [];
        return first;
      },
      { every: 200, what: 'a task that waits for ever' },
    );
    process.stdout.write(`without the ${control}: ${stuck}\n`);
  },
  120_000,
);

test('Without the fence, processes that come back from the dead change what was recorded', async () => {
  const open = (run = await withoutOne('fence'));
  const { processes, world } = open;
  for (let i = 0; i < WORKERS; i++) await processes.start();
  for (const child of processes.living) {
    world.start(15);
    await waitFor(async () => (await open.read(CLAIMED)).length > 10, { what: 'claimed tasks' });
    await processes.hang(child, LEASE_MS * 1.7);
  }
  await open.settle(20_000).catch(() => 0);
  const wrong = await open.violations();
  process.stdout.write(`without the fence: ${wrong.length} violations, such as ${wrong[0]}\n`);
  expect(wrong).not.toEqual([]);
}, 120_000);
