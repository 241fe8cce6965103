import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
let server: FaultyServer;
let workload: Workload | undefined;
beforeEach(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterEach(async () => {
  await server.close();
  workload?.remove();
});

/** The processes have tried in vain, and go on trying. */
async function tried(): Promise<void> {
  const waits = /waiting for the database/;
  await Promise.all(workload!.workers.map((worker) => worker.printed(waits, 60_000)));
}

async function lost(): Promise<void> {
  await waitFor(() => server.hasLost, { deadline: 60_000, what: 'the loss' });
}

/** What is wrong when the processes boot, and how it is put right once they have noticed. */
const FAULTS: [string, () => Promise<void>, () => Promise<void>][] = [
  ['refuses connections', () => server.refuse(), () => tried().then(() => server.listen())],
  [
    'accepts connections and closes them, as behind a proxy',
    () => server.stop(),
    () => tried().then(() => server.startAgain()),
  ],
  [
    'swallows what is sent',
    async () => server.swallow(),
    () => tried().then(() => server.deliver()),
  ],
  [
    'takes no writes',
    () => server.configure('default_transaction_read_only', 'on'),
    () => tried().then(() => server.configure('default_transaction_read_only', 'off')),
  ],
  [
    'loses the connections that migrate',
    async () => server.loseRequests(['CREATE TABLE'], 3),
    lost,
  ],
  ['loses the answer of a migration', async () => server.loseAnswers(['COMMIT']), lost],
];

test.each(FAULTS)(
  'Processes that boot while the server %s wait, and then serve',
  async (fault, harm, heal) => {
    workload = new Workload({
      url: server.url,
      directUrl: () => server.directUrl,
      schema: `boot_${FAULTS.findIndex(([name]) => name === fault)}`,
      seed,
      workflows: 3,
    });
    await harm();
    const booting = Promise.all([workload.worker(), workload.worker()]);
    await heal();
    const workers = await booting;
    await Promise.all(workers.map((worker) => workload!.started(worker, 2)));
    expect(await workload.settle()).toBe(12);
    expect(workload.accepted().size).toBe(12);
    expect(await workload.violations()).toEqual([]);
  },
  180_000,
);
