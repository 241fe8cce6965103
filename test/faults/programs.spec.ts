import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { freshSchema } from '../support/postgres.js';
import type { Control } from './programs/controls.js';
import { waitFor } from '../support/wait-for.js';
import { contradictions } from './programs/laws.js';
import { ProgramRun } from './programs/program-run.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const ROUNDS = SHORT ? 1 : 4;
/** Deep trees of children take long to end, so there are fewer programs to build them of. */
const PROGRAMS = SHORT ? 9 : 14;
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
/** Where time is short, each of these once or twice; otherwise as it comes. */
const SHORT_FAULTS = ['kill', 'terminateBackends', 'killTwo', 'kill', 'terminateBackends'];
const NAMES = ['kill', 'kill', 'kill', 'killTwo', 'terminateBackends', 'hang'];
const faultsOf = (random: () => number): readonly string[] =>
  SHORT ? SHORT_FAULTS : Array.from({ length: 30 }, () => pick(random, NAMES));
/** Of the processes that hang without the fence: what they do when they come back is what counts. */
const ZOMBIE_LEASE_MS = 1_500;

for (let round = 0; round < ROUNDS; round++) {
  test(`Round ${round}: random programs come to what the reference says, whatever is killed`, async () => {
    const own = seed + round;
    const random = randomFrom(own);
    run = await ProgramRun.open({
      schema: freshSchema(),
      seed: own,
      programs: PROGRAMS,
      leaseDurationMs: LEASE_MS,
    });
    const { processes, world } = run;
    try {
      await processes.startAll(WORKERS);
      for (const name of faultsOf(random)) {
        world.start(1 + Math.floor(random() * 8));
        await delay(100 + random() * 500);
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

/** How often processes hang until a run has got another value than one before it. */
const MAX_HANGS = 9;

const withoutOne = (control: Control, leaseDurationMs = LEASE_MS): Promise<ProgramRun> =>
  ProgramRun.open({
    schema: freshSchema(),
    seed: seed + 100,
    leaseDurationMs,
    without: control,
    cancels: 0,
    pauses: 0,
  });

test.each(['counter', 'order'] as const)(
  'Without the %s, tasks wait for ever for what has happened',
  async (control) => {
    run = await withoutOne(control);
    const { processes, world } = run;
    await processes.startAll(WORKERS);
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
  const open = (run = await withoutOne('fence', ZOMBIE_LEASE_MS));
  const { processes, world } = open;
  await processes.startAll(WORKERS);
  let wrong: string[] = [];
  for (let hangs = 0; hangs < MAX_HANGS && wrong.length === 0; hangs++) {
    world.start(15);
    await waitFor(async () => (await open.read(CLAIMED)).length > 10, { what: 'claimed tasks' });
    await processes.hang(processes.living[hangs % WORKERS]!, ZOMBIE_LEASE_MS * 1.7);
    wrong = contradictions(processes.notes());
  }
  process.stdout.write(`without the fence: ${wrong.length} violations, such as ${wrong[0]}\n`);
  expect(wrong).not.toEqual([]);
}, 120_000);
