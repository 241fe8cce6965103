import { expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { openTenant, type OpenTenant } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { audit, audited, claimsSoFar, completedSoFar, missingSoFar } from './limits/audit.js';
import { LimitedProcesses } from './limits/limited-processes.js';
import { KEYS, limited, MILLION, PER_KEY, TOTAL } from './limits/limited.js';
import { report } from './workload/scene.js';

const SHORT = process.env['FAULTS'] === 'short';
const PROCESSES = 8;
const KILLS = SHORT ? 6 : 60;
/** The pace of the kills, at most. Each waits for a process that holds slots besides. */
const KILL_EVERY_MS = 1_000;
/**
 * Number of tasks that complete between two kills, at least. On a slow machine, processes boot and recover more slowly than
 * that pace. Each would be killed as soon as it has claimed all slots, and no task would ever complete.
 */
const PROGRESS = TOTAL * 5;
/** Number of holders younger than the snapshot of a claim that the claims have to meet: of such as the control takes for free. */
const MISSING = SHORT ? 3 : 30;
/** Number of claims after which a control that was not noticed counts as right. */
const ENOUGH_CLAIMS = 20_000;

async function openAudited(): Promise<OpenTenant> {
  const client = await openTenant([limited], {
    schema: freshSchema(),
    maxConcurrentTasks: 0,
    // An abandoned task has no slot from then on, though its row is Running until the failure is recorded.
    maxRecoveryAttempts: 1_000,
  });
  await audit(client);
  return client;
}

test(`Of ${PROCESSES} processes, of which one after the other is killed while it holds slots, none takes a slot that is not free`, async () => {
  const client = await openAudited();
  const processes = new LimitedProcesses(client);
  await Promise.all(Array.from({ length: PROCESSES }, () => processes.add()));
  const feeding = processes.feed();
  const replaced: Promise<unknown>[] = [];
  const isEnough = async (kill: number): Promise<boolean> =>
    kill >= KILLS &&
    (await missingSoFar(client)) >= MISSING &&
    (!MILLION || (await claimsSoFar(client)) >= 1_000_000);
  for (let kill = 0; !(await isEnough(kill)); kill++) {
    const pause = delay(KILL_EVERY_MS);
    await processes.killOne();
    replaced.push(processes.add());
    await pause;
    await progress(client);
  }
  await Promise.all(replaced);
  processes.stopFeeding();
  await feeding;
  await waitFor(async () => (await processes.unfinished()) === 0, {
    deadline: 120_000,
    every: 50,
    what: 'all executions',
  });

  const { heldAtKill, started } = processes;
  const seen = await audited(client);
  const missing = await missingSoFar(client);
  report('limits storm', {
    executions: started,
    ...seen,
    missing,
    kills: heldAtKill.length,
    heldAtKill,
  });
  expect(heldAtKill.length).toBeGreaterThanOrEqual(KILLS);
  expect(Math.min(...heldAtKill)).toBeGreaterThan(0);
  expect(seen).toMatchObject({ over: 0, ofKey: PER_KEY, ofAll: TOTAL });
  expect(missing).toBeGreaterThanOrEqual(MISSING);
  // Each task that a killed process held was claimed anew.
  const lost = heldAtKill.reduce((sum, held) => sum + held, 0);
  expect(seen.claims).toBeGreaterThanOrEqual(started * 2 + lost);
  await expectNoSlotHeld(client);
}, 3_600_000);

async function progress(client: OpenTenant): Promise<void> {
  const enough = (await completedSoFar(client)) + PROGRESS;
  await waitFor(async () => (await completedSoFar(client)) >= enough, {
    deadline: 120_000,
    what: `${PROGRESS} completed tasks after a kill`,
  });
}

async function expectNoSlotHeld({ engine }: OpenTenant): Promise<void> {
  const { limits } = engine.store;
  const keys = await limits.keys({ name: 'calls', after: null, count: 100 });
  expect(keys).toHaveLength(KEYS);
  for (const { holders, waiting } of [...keys, ...(await limits.keysOf(['calls']))]) {
    expect({ holders, waiting }).toEqual({ holders: [], waiting: 0 });
  }
}

test.each(['counting', 'missingIsFree'] as const)(
  'The audit notices processes that decide by %s',
  async (control) => {
    const client = await openAudited();
    const processes = new LimitedProcesses(client, control);
    await Promise.all(Array.from({ length: 4 }, () => processes.add()));
    const feeding = processes.feed();
    const seen = await waitFor(
      async () => {
        const found = await audited(client);
        return found.over > 0 || found.claims > ENOUGH_CLAIMS ? found : undefined;
      },
      { deadline: 600_000, every: 200, what: 'claims' },
    );
    processes.stopFeeding();
    await feeding;
    report(`limits storm, ${control}`, seen);
    expect(seen.over).toBeGreaterThan(0);
  },
  660_000,
);
