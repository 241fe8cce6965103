import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { COMPLETE_NAMES, STATEMENTS } from './workload/failpoints.js';
import type { PlannedTask, PlannedWorkflow } from './workload/plan.js';
import { randomFrom, seedOfRun } from './workload/random.js';
import { Workload, type WorkloadOptions } from './workload/workload.js';

const seed = seedOfRun();
let server: FaultyServer;
let workload: Workload | undefined;
let schemas = 0;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterEach(() => workload?.remove());
afterAll(() => server.close());

function open(more: Partial<WorkloadOptions>): Workload {
  const schema = `lost_${schemas++}`;
  const { url } = server;
  return (workload = new Workload({
    url,
    directUrl: () => server.directUrl,
    schema,
    seed,
    ...more,
  }));
}

function chain(name: string, kinds: readonly PlannedTask['kind'][]): PlannedWorkflow {
  const tasks = kinds.map((kind, no) => ({
    name: `t${no}`,
    dependsOn: no === 0 ? [] : [`t${no - 1}`],
    kind,
  }));
  return { name, tasks };
}

/** What is sent, by a text in it or by its name on the server, and the work that makes it be sent. */
const SENT: [string, readonly string[], PlannedWorkflow][] = [
  ['a start', [STATEMENTS.start, 'start_executions'], chain('flow0', ['plain', 'plain'])],
  ['a claim', [STATEMENTS.claim, 'claim_tasks'], chain('flow0', ['plain', 'plain'])],
  ['an outcome', [STATEMENTS.complete, ...COMPLETE_NAMES], chain('flow0', ['plain', 'plain'])],
  [
    'a retry or a deferral',
    [STATEMENTS.reschedule, 'reschedule_tasks'],
    chain('flow0', ['flaky', 'deferring', 'plain']),
  ],
  [
    'the commit of a transactional task',
    [STATEMENTS.commit],
    chain('flow0', ['transactional', 'plain', 'transactional']),
  ],
];
/** Handlers that run to their end once, however often replies are lost: a flaky or deferring task begins twice. */
function runsOf({ tasks }: PlannedWorkflow): number {
  return tasks.reduce(
    (sum, { kind }) => sum + (kind === 'flaky' || kind === 'deferring' ? 2 : 1),
    0,
  );
}

describe.each(SENT)('When the connection breaks around %s', (_, texts, plan) => {
  // More than there are slots, so that some has to be claimed.
  const executions = 60;
  const times = 4;

  async function run(lose: () => void): Promise<Workload> {
    const work = open({ plans: [plan], handlerMs: 10 });
    const workers = [await work.worker(), await work.worker()];
    lose();
    for (const worker of workers) work.start(worker, executions / 2);
    await waitFor(() => server.hasLost, { deadline: 60_000, what: 'the losses' });
    await waitFor(() => work.accepted().size === executions, {
      deadline: 60_000,
      what: 'the starts',
    });
    expect(await work.settle(90_000)).toBe(executions);
    return work;
  }

  test('just after it was sent, what it did stands and no handler runs again', async () => {
    const work = await run(() => server.loseAnswers(texts, times));
    const begun = work.entries().filter(({ what }) => what === 'begun');
    expect(begun).toHaveLength(executions * runsOf(plan));
    expect(await work.violations()).toEqual([]);
  }, 240_000);

  test('before the server has it, it is done all the same', async () => {
    const work = await run(() => server.loseRequests(texts, times));
    expect(await work.violations()).toEqual([]);
  }, 240_000);
});

/** One after the other, each once handlers have gone on since the last one. */
const ENDED: [string, (random: () => number) => Promise<number>][] = [
  ['control connections', () => server.terminateControl()],
  ['connections of the pools, at random,', (random) => server.terminatePools(0.4, random)],
  ['connections', () => server.terminate(1, () => 0)],
];

test.each(ENDED)(
  'The server ends %s again and again under load, and nothing is lost or doubled',
  async (_, end) => {
    const random = randomFrom(seed);
    const work = open({ workflows: 6, handlerMs: 20 });
    const workers = [await work.worker(), await work.worker()];
    let ended = 0;
    for (let round = 0; round < 8; round++) {
      const known = work.entries().length;
      for (const worker of workers) work.start(worker, 4);
      await waitFor(() => work.entries().length > known + 10, {
        deadline: 60_000,
        what: 'handlers',
      });
      ended += await end(random);
    }
    await Promise.all(workers.map((worker) => work.started(worker, 1)));
    expect(await work.settle(90_000)).toBe(work.accepted().size);
    expect(work.accepted().size).toBe(6 * (8 * 2 * 4 + 2));
    expect(ended).toBeGreaterThanOrEqual(8);
    expect(await work.violations()).toEqual([]);
  },
  240_000,
);
